package journal

import (
	"strconv"
	"strings"
)

// Subject words what the filter selects for the audit trail, without the data of a person.
func (f Filter) Subject() string {
	var parts []string
	add := func(name, value string) {
		if value != "" {
			parts = append(parts, name+" "+value)
		}
	}
	add("rule", f.Rule)
	add("code", f.Code)
	add("class", string(f.Class))
	add("cause", f.Cause)
	add("file", f.FileID)
	if f.Seq != 0 {
		add("record", strconv.FormatInt(f.Seq, 10))
	}
	if f.Row != 0 {
		parts = append(parts, "row "+strconv.Itoa(f.Row))
	}
	if len(f.Seqs) > 0 {
		parts = append(parts, strconv.Itoa(len(f.Seqs))+" chosen records")
	}
	if f.Key != "" || f.ID != "" || f.Text != "" || f.Object != "" {
		add("records of", "one key or id")
	}
	add("about", strings.Join(f.About[:min(len(f.About), 3)], " "))
	if !f.Since.IsZero() {
		add("since", f.Since.UTC().Format("2006-01-02 15:04"))
	}
	if !f.Until.IsZero() {
		add("until", f.Until.UTC().Format("2006-01-02 15:04"))
	}
	if len(parts) == 0 {
		return "all"
	}
	return strings.Join(parts, ", ")
}
