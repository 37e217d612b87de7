package notify

import (
	"fmt"
	"strings"
	"time"
)

// Subject is one line that says what the message is about.
func (m Message) Subject() string {
	what := ""
	switch {
	case len(m.New) == 1:
		what = m.Language.Text(m.New[0].Text)
	case len(m.New) > 1:
		what = m.Language.Sprintf("%d things need attention", len(m.New))
	case len(m.Resolved) == 1:
		what = m.Language.Sprintf("resolved: %s", m.Language.Text(m.Resolved[0].Text))
	case len(m.Resolved) > 1:
		what = m.Language.Sprintf("%d things are resolved", len(m.Resolved))
	default:
		what = m.Language.Text("daily summary")
	}
	return oneLine("Culvert " + m.Project + ": " + what)
}

// listed has lists of nothing where there is nothing, as programs expect.
func (m Message) listed() Message {
	if m.New == nil {
		m.New = []Condition{}
	}
	if m.Resolved == nil {
		m.Resolved = []Condition{}
	}
	return m
}

// Short is what there is to say in so many characters, for who reads no more than that.
func (m Message) Short(most int) string {
	var list []string
	for _, c := range m.New {
		list = append(list, m.Language.Text(c.Text))
	}
	for _, c := range m.Resolved {
		list = append(list, m.Language.Sprintf("resolved: %s", m.Language.Text(c.Text)))
	}
	begin := "Culvert " + m.Project + ": "
	for n := len(list); n > 0; n-- { // several that do not fit: the first ones, and how many more there are
		text := begin + strings.Join(list[:n], "; ")
		if left := len(list) - n; left > 0 {
			text += m.Language.Sprintf("; and %d more", left)
		}
		if text = strings.Join(strings.Fields(text), " "); len([]rune(text)) <= most {
			return text
		}
	}
	if len(list) == 0 {
		return m.Subject()
	}
	text := []rune(strings.Join(strings.Fields(begin+list[0]), " "))
	return string(text[:min(most-1, len(text))]) + "…" // the first may fit alone, and not with how many more there are
}

// oneLine keeps a subject from holding line breaks, which would end a header of an e-mail, and from
// being too long for a list.
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
			fmt.Fprintf(&b, "- %s%s\n", m.Language.Text(c.Text), m.since(c))
		}
		b.WriteString("\n")
	}
	part(m.Language.Text("Needs attention:"), m.New)
	part(m.Language.Text("Resolved:"), m.Resolved)
	part(m.Language.Text("Still needs attention:"), m.Still)
	if len(m.Digest) > 0 {
		fmt.Fprintf(&b, "%s\n", m.Language.Text("The last day:"))
		for _, line := range m.Digest {
			fmt.Fprintf(&b, "- %s\n", m.Language.Text(line))
		}
		b.WriteString("\n")
	}
	if m.Link != "" {
		fmt.Fprintf(&b, "%s\n", m.Link)
	}
	return strings.TrimRight(b.String(), "\n") + "\n"
}

// since says since when a condition holds, where that is known.
func (m Message) since(c Condition) string {
	if c.Since.IsZero() {
		return ""
	}
	return m.Language.Sprintf(" (since %s)", m.Language.Minute(c.Since.In(m.At.Location())))
}

// Span writes how long something takes in whole hours or days, and below two hours in minutes.
func Span(d time.Duration) string {
	switch {
	case d < 2*time.Minute:
		return "1 minute"
	case d < 2*time.Hour:
		return fmt.Sprintf("%d minutes", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%d hours", int(d.Hours()))
	}
	return fmt.Sprintf("%d days", int(d.Hours()/24))
}
