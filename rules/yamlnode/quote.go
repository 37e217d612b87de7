package yamlnode

import (
	"slices"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"
)

// Text writes a text, as a key or a value of a block, so that YAML reads the same text back: bare
// where that is possible.
func Text(s string) string {
	var m map[string]string
	line := s + ": " + s
	if err := yaml.Unmarshal([]byte(line), &m); err == nil && len(m) == 1 && m[s] == s &&
		!strings.ContainsAny(s, "\n\r\t") && isText(s) {
		return s
	}
	return quoted(s)
}

// FlowText is Text for the inside of braces and brackets, where commas and brackets mean something.
func FlowText(s string) string {
	if strings.ContainsAny(s, ",[]{}") {
		return quoted(s)
	}
	return Text(s)
}

// isText tells whether YAML, of any version, takes bare letters for a text and not for a number, a date, yes or no.
func isText(s string) bool {
	var n yaml.Node
	if err := yaml.Unmarshal([]byte(s), &n); err != nil || len(n.Content) != 1 {
		return false
	}
	return n.Content[0].ShortTag() == "!!str" && !slices.Contains([]string{"yes", "no", "on", "off", "y", "n"},
		strings.ToLower(s))
}

func quoted(s string) string {
	plain := func(r rune) bool {
		return r >= ' ' && r != 0x7f && r != 0x85 && r != 0xa0 && r != 0xfeff && r != 0x2028 && r != 0x2029
	}
	if !strings.ContainsFunc(s, func(r rune) bool { return !plain(r) }) {
		return "'" + strings.ReplaceAll(s, "'", "''") + "'"
	}
	return strconv.QuoteToASCII(s) // whose escapes YAML knows too
}
