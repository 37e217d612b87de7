package scaffold

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"

	"github.com/culvert/culvert/engine/scaffold/form"
)

// Limits on what of a sample is looked at.
const (
	maxRecords = 500
	maxDepth   = 8
	maxValues  = 200
)

// field is one leaf of the sample's records.
type field struct {
	expr  string // trigger.form.first_name
	path  []string
	own   bool     // the collecting tool's, such as the name of the form: no answer to a question
	texts []string // what it holds, blank ones left out

	// Of the question, where the form is known:
	labels  []string
	choices map[string][]string // labels of each choice
	open    form.Type           // it takes anything, so that what the invented sample holds proves nothing
}

// fieldsOf gives the leaves of the records, in the order of their paths, as expressions that begin
// with root. Lists are left to for_each.
func fieldsOf(root string, bodies []any) []*field {
	found := map[string]*field{}
	var walk func(v any, expr string, path []string)
	walk = func(v any, expr string, path []string) {
		m, ok := v.(map[string]any)
		if !ok || len(path) > maxDepth {
			return
		}
		for _, key := range slices.Sorted(maps.Keys(m)) {
			e, p := expr+member(key), append(slices.Clone(path), key)
			switch v := m[key].(type) {
			case []any:
				continue
			case map[string]any:
				if _, leaf := v["#text"]; !leaf {
					walk(v, e, p)
					continue
				}
			}
			f := found[e]
			if f == nil {
				f = &field{expr: e, path: p, own: ofTool(p)}
				found[e] = f
			}
			f.add(m[key])
		}
	}
	for i, body := range bodies {
		if i == maxRecords {
			break
		}
		walk(body, root, nil)
	}
	list := make([]*field, 0, len(found))
	for _, e := range slices.Sorted(maps.Keys(found)) {
		list = append(list, found[e])
	}
	return list
}

func (f *field) add(v any) {
	if m, ok := v.(map[string]any); ok {
		v = m["#text"]
	}
	if v == nil {
		return
	}
	text := strings.TrimSpace(fmt.Sprint(v))
	if n, ok := v.(float64); ok && n == float64(int64(n)) {
		text = fmt.Sprint(int64(n))
	}
	if text != "" && text != "---" && len(f.texts) < maxRecords {
		f.texts = append(f.texts, text)
	}
}

// distinct gives what the field holds, each once.
func (f *field) distinct() []string {
	list := slices.Compact(slices.Sorted(slices.Values(f.texts)))
	return list[:min(len(list), maxValues)]
}

// name is what the question is called: KoboToolbox puts the groups before it.
func (f *field) name() string {
	last := f.path[len(f.path)-1]
	if i := strings.LastIndexAny(last, "/"); i >= 0 && i+1 < len(last) && !strings.Contains(last, " ") {
		return last[i+1:]
	}
	return last
}

// fullName is the name with its groups.
func (f *field) fullName() string { return strings.Join(f.path, " ") }

var (
	toolParts = []string{"meta", "metadata", "case", "__system", "attachments", "history", "info", "formhub",
		"commcare_usercase", "orx:meta"}
	toolNames = []string{
		"start", "end", "today", "deviceid", "device_id", "username", "simserial", "subscriberid", "instanceid",
		"instancename", "formid", "form_link", "domain", "app_id",
		"build_id", "received_on", "completed_time", "started_time", "indexed_on", "server_date_modified",
		"server_modified_on", "date_modified", "closed", "case_type", "owner_id", "user_id",
		"submissiondate", "submitterid", "submittername", "attachmentspresent", "attachmentsexpected", "reviewstate",
		"devicemanufacturer", "edits", "formversion", "key", "caseid", "case_id",
		"hq_user", "number", "xmlns", "timestamp", "edited_on",
	}
)

// ofTool tells whether a field is the collecting tool's own: CommCare's @name is the name of the form, not of a woman.
func ofTool(path []string) bool {
	for i, part := range path {
		if strings.HasPrefix(part, "@") || strings.HasPrefix(part, "#") || strings.HasPrefix(part, "_") {
			return true
		}
		first, _, _ := strings.Cut(part, "/")
		if slices.Contains(toolParts, first) && (i < len(path)-1 || first != part) {
			return true
		}
	}
	last := strings.ToLower(path[len(path)-1])
	return slices.Contains(toolNames, last) || len(path) == 1 && slices.Contains([]string{"id", "type", "version"}, last)
}

var plain = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

func member(key string) string {
	if plain.MatchString(key) {
		return "." + key
	}
	return "[" + fmt.Sprintf("%q", key) + "]"
}

// words parts a name into its words, in small letters and without accents: dateOfBirth,
// date_of_birth and "Date of birth" are alike.
func words(s string) []string {
	var out []string
	var word strings.Builder
	end := func() {
		if word.Len() > 0 {
			out = append(out, word.String())
			word.Reset()
		}
	}
	small := false
	for _, r := range norm.NFD.String(s) {
		switch {
		case unicode.Is(unicode.Mn, r):
			continue
		case !unicode.IsLetter(r) && !unicode.IsDigit(r):
			if r == '+' || r == '<' || r == '>' || r == '%' { // 5+ is not 5
				end()
				out = append(out, string(r))
			}
			end()
			small = false
			continue
		case unicode.IsUpper(r) && small:
			end()
		}
		small = unicode.IsLower(r)
		word.WriteRune(unicode.ToLower(r))
	}
	end()
	return out
}

// alike is a name without what does not tell it from others.
func alike(s string) string { return strings.Join(words(s), "") }
