package rehearsal

import (
	"bytes"
	"encoding/json"
	"fmt"
	"regexp"
	"strings"

	"github.com/culvert/culvert/rules"
)

// longestValue is how much of a list or mapping is shown, in bytes.
const longestValue = 300

// Show writes a value of a record on one line. It holds what the record says.
func Show(v any) string {
	switch x := v.(type) {
	case nil:
		return "(blank)"
	case string:
		return fmt.Sprintf("%q", x)
	case *rules.Object:
		return fmt.Sprintf("%s (code %q, uid %s)", x.Name, x.Code, x.ID)
	}
	text, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprint(v)
	}
	if len(text) > longestValue {
		return strings.ToValidUTF8(string(text[:longestValue]), "") + "…"
	}
	return string(text)
}

// Heading is the first line of a request; names say what uids stand for. A search is put in words:
// its address says little.
func Heading(method, path string, query, names map[string]string) string {
	line := method + " " + path
	if method == "GET" {
		line = "look up: " + line
		for _, key := range []string{"filter", "ou", "numberToReserve"} {
			if v := query[key]; v != "" {
				line += " " + key + "=" + v
			}
		}
	} else {
		// A transfer has no body: who and where to stand in its address.
		for _, key := range []string{"importStrategy", "trackedEntityInstance", "trackedEntity", "program", "ou", "orgUnit"} {
			if v := query[key]; v != "" {
				line += " " + key + "=" + v
			}
		}
	}
	if known := knownIn(line, names); known != "" {
		line += "   # " + known
	}
	return line
}

// knownIn says what the uids in a line are called, in their order; "" when none is known.
func knownIn(line string, names map[string]string) string {
	var known []string
	for _, uid := range uidInText.FindAllString(line, -1) {
		if name := names[uid]; name != "" {
			known = append(known, name)
		}
	}
	return strings.Join(known, ", ")
}

var (
	uidInText = regexp.MustCompile(`\b[A-Za-z][A-Za-z0-9]{10}\b`)
	flatLine  = regexp.MustCompile(`\{\n\s*("[^"]*": (?:"(?:[^"\\]|\\.)*"|[^\s{}\[\]"]+)),\n` +
		`\s*("[^"]*": (?:"(?:[^"\\]|\\.)*"|[^\s{}\[\]"]+))\n\s*\}`)
)

// Annotated lays a body out and says behind each line what its uids are called. A pair, such as a
// value of an attribute, stands on one line.
func Annotated(body json.RawMessage, names map[string]string) (string, error) {
	var laid bytes.Buffer
	if err := json.Indent(&laid, body, "  ", "  "); err != nil {
		return "", fmt.Errorf("lay out the request: %w", err)
	}
	text := flatLine.ReplaceAllString(laid.String(), "{$1, $2}")
	var out strings.Builder
	for line := range strings.SplitSeq(text, "\n") {
		if out.Len() == 0 {
			line = "  " + line
		}
		if known := knownIn(line, names); known != "" {
			line = fmt.Sprintf("%-58s # %s", line, known)
		}
		out.WriteString(line + "\n")
	}
	return out.String(), nil
}
