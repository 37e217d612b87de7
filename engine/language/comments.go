package language

import (
	"regexp"
	"strings"
)

// commentedOut is a line of YAML that was put into a comment as it stood, indented.
var commentedOut = regexp.MustCompile(`^ {3,}(- )?[a-z_.]+:( |$)`)

// Comments says in the language what the comments of a YAML file say, each by itself; all else stays,
// also what is commented out in front of a comment of its own.
func (l *Language) Comments(yaml string) string {
	if l == nil {
		return yaml
	}
	lines := strings.Split(yaml, "\n")
	for i, line := range lines {
		if strings.HasPrefix(line, "# yaml-language-server:") {
			continue
		}
		parts := commentsOf(line)
		for n, part := range parts[1:] {
			if commentedOut.MatchString(part) {
				continue
			}
			core := strings.TrimSpace(part)
			parts[n+1] = strings.Replace(part, core, l.Text(core), 1)
		}
		lines[i] = strings.Join(parts, "#")
	}
	return strings.Join(lines, "\n")
}

// commentsOf parts a line of YAML at each # that begins a comment; the first part is what stands before all of them.
func commentsOf(line string) []string {
	var parts []string
	start := 0
	var quote byte
	for i := 0; i < len(line); i++ {
		c := line[i]
		begins := i == 0 || line[i-1] == ' '
		switch {
		case quote != 0:
			if c == quote {
				quote = 0
			}
		case (c == '"' || c == '\'') && len(parts) == 0 && (begins || strings.IndexByte("[{,:", line[i-1]) >= 0):
			quote = c
		case c == '#' && begins && (i+1 == len(line) || line[i+1] == ' '):
			parts = append(parts, line[start:i])
			start = i + 1
		}
	}
	return append(parts, line[start:])
}
