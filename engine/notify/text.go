package notify

import (
	"fmt"
	"strings"
)

// Subject is one line that says what the message is about.
func (m Message) Subject() string {
	what := ""
	switch {
	case len(m.New) == 1:
		what = m.New[0].Text
	case len(m.New) > 1:
		what = fmt.Sprintf("%d things need attention", len(m.New))
	case len(m.Resolved) == 1:
		what = "resolved: " + m.Resolved[0].Text
	case len(m.Resolved) > 1:
		what = fmt.Sprintf("%d things are resolved", len(m.Resolved))
	default:
		what = "daily summary"
	}
	return oneLine("Culvert " + m.Project + ": " + what)
}

// oneLine keeps a subject from holding line breaks, which would end a header of an e-mail, and from being too long for a list.
func oneLine(s string) string {
	s = strings.Join(strings.Fields(s), " ")
	if runes := []rune(s); len(runes) > 150 {
		return string(runes[:149]) + "…"
	}
	return s
}

// Text is the whole message in plain text.
func (m Message) Text() string {
	var b strings.Builder
	part := func(title string, list []Condition) {
		if len(list) == 0 {
			return
		}
		fmt.Fprintf(&b, "%s\n", title)
		for _, c := range list {
			fmt.Fprintf(&b, "- %s (since %s)\n", c.Text, c.Since.In(m.At.Location()).Format("2006-01-02 15:04"))
		}
		b.WriteString("\n")
	}
	part("Needs attention:", m.New)
	part("Resolved:", m.Resolved)
	if len(m.Digest) > 0 {
		fmt.Fprintf(&b, "The last day:\n- %s\n\n", strings.Join(m.Digest, "\n- "))
	}
	if m.Link != "" {
		fmt.Fprintf(&b, "%s\n", m.Link)
	}
	return strings.TrimRight(b.String(), "\n") + "\n"
}
