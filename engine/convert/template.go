package convert

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// A template of MOTECH mixes text with keys in double braces:
// {{trigger.name?toUpper?substring(0,3)}}. Manipulations follow the key, applied from left to
// right; arguments of format may be keys again.

// maxTemplate is the longest value that MOTECH kept, in characters.
const maxTemplate = 20_000

// piece is a part of a template: a text, or a key with its manipulations.
type piece struct {
	text string
	key  string
}

// pieces splits a template.
func pieces(template string) ([]piece, error) {
	if len(template) > maxTemplate {
		return nil, fmt.Errorf("the value has more than %d characters", maxTemplate)
	}
	var out []piece
	for template != "" {
		start := strings.Index(template, "{{")
		if start < 0 {
			return append(out, piece{text: template}), nil
		}
		if start > 0 {
			out = append(out, piece{text: template[:start]})
		}
		depth, end := 0, -1
		for i := start; i+1 < len(template); i++ {
			switch template[i : i+2] {
			case "{{":
				depth++
				i++
			case "}}":
				depth--
				i++
				if depth == 0 {
					end = i - 1
				}
			}
			if end >= 0 {
				break
			}
		}
		if end < 0 {
			return nil, fmt.Errorf("the braces of %q are not closed", clip(template[start:]))
		}
		out = append(out, piece{key: strings.TrimSpace(template[start+2 : end])})
		template = template[end+2:]
	}
	return out, nil
}

func clip(s string) string {
	if r := []rune(s); len(r) > 60 {
		return string(r[:60]) + "…"
	}
	return s
}

// note is a difference that a translation makes.
type note struct {
	status Status
	why    string
}

// reader translates the keys of one task.
type reader struct {
	key   func(path string) (string, error) // trigger.KEY, ad.PROVIDER.TYPE#ID.FIELD and pa.N.KEY as an expression
	notes []note
}

func (r *reader) note(status Status, format string, args ...any) {
	r.notes = append(r.notes, note{status, fmt.Sprintf(format, args...)})
}

// template translates a whole value.
func (r *reader) template(template string) (value, error) {
	parts, err := pieces(template)
	if err != nil {
		return value{}, err
	}
	keys := 0
	for _, p := range parts {
		if p.key != "" {
			keys++
		}
	}
	switch {
	case len(parts) == 0:
		return value{blank: true}, nil
	case keys == 0:
		return value{fixed: template}, nil
	case len(parts) == 1:
		expr, err := r.keyed(parts[0].key)
		return value{expr: expr}, err
	}
	form, args := "", make([]string, 0, keys)
	for _, p := range parts {
		if p.key == "" {
			form += p.text
			continue
		}
		expr, err := r.keyed(p.key)
		if err != nil {
			return value{}, err
		}
		form += "{}"
		args = append(args, expr)
	}
	joined := "format(" + text(form) + ", " + strings.Join(args, ", ") + ")"
	if keys == 1 { // MOTECH makes the whole value null when its only key is
		return value{expr: "not_blank(" + args[0] + ") ? " + joined + " : nil"}, nil
	}
	return value{expr: joined}, nil
}

// keyed translates a key with its manipulations.
func (r *reader) keyed(key string) (string, error) {
	name, manipulations := cutManipulations(key)
	expr, err := r.key(name)
	if err != nil {
		return "", err
	}
	for _, m := range manipulations {
		if expr, err = r.manipulate(expr, m); err != nil {
			return "", err
		}
	}
	return expr, nil
}

// cutManipulations splits a key at its question marks, except at those in brackets or braces.
func cutManipulations(key string) (name string, manipulations []string) {
	depth, from := 0, 0
	var parts []string
	for i, c := range key {
		switch c {
		case '(', '{':
			depth++
		case ')', '}':
			depth--
		case '?':
			if depth == 0 {
				parts = append(parts, key[from:i])
				from = i + 1
			}
		}
	}
	parts = append(parts, key[from:])
	return strings.TrimSpace(parts[0]), parts[1:]
}

var (
	manipulation = regexp.MustCompile(`^\s*([A-Za-z]+)\s*(?:\((.*)\))?\s*$`)
	plainPattern = regexp.MustCompile(`^[^\\.+*?()|\[\]{}^$]+$`)
	jodaLetters  = regexp.MustCompile(`[A-Za-z]`)
)

// manipulate translates one manipulation of MOTECH 1.3 on an expression. All of them are known; an
// unknown one is an error.
func (r *reader) manipulate(expr, written string) (string, error) {
	m := manipulation.FindStringSubmatch(written)
	if m == nil {
		return "", fmt.Errorf("the manipulation %q is not one of MOTECH's; it had no effect there", clip(written))
	}
	name, argument := m[1], m[2]
	switch name {
	case "toUpper":
		return "upper(" + expr + ")", nil
	case "toLower":
		return "lower(" + expr + ")", nil
	case "capitalize":
		return "title(" + expr + ")", nil
	case "URLEncode":
		return "url_encode(" + expr + ")", nil
	case "join":
		return "replace(" + expr + `, " ", ` + text(argument) + ")", nil
	case "split":
		return r.split(expr, argument)
	case "substring":
		return r.substring(expr, argument)
	case "format":
		return r.format(expr, argument)
	case "parseDate":
		return r.dated("date", expr, argument)
	case "dateTime":
		return r.dated("format_date", expr, argument)
	case "beginningOfMonth":
		return "start_of(" + expr + `, "month")`, nil
	case "endOfMonth":
		return "end_of(" + expr + `, "month")`, nil
	case "quarter":
		r.note(Changed, "MOTECH gave the next quarter in March, June, September and December; the rule gives the right one")
		return `format("Q{}-{}", quarter(` + expr + "), year(" + expr + "))", nil
	case "getValue":
		return member(expr, strings.TrimSpace(argument)), nil
	}
	for _, unit := range []string{"Months", "Days", "Hours", "Minutes"} {
		if sign, ok := map[string]string{"plus" + unit: "", "minus" + unit: "-"}[name]; ok {
			n, err := strconv.Atoi(strings.TrimSpace(argument))
			if err != nil {
				return "", fmt.Errorf("%s(%s) needs a whole number", name, argument)
			}
			if sign == "-" {
				n = -n
			}
			return fmt.Sprintf("add(%s, %d, %s)", expr, n, text(strings.ToLower(unit))), nil
		}
	}
	return "", fmt.Errorf("the manipulation %q is not one of MOTECH's; it had no effect there", name)
}

func (r *reader) split(expr, argument string) (string, error) {
	i := strings.LastIndexByte(argument, ',')
	if i < 0 {
		return "", fmt.Errorf("split(%s) does not say which part is meant", argument)
	}
	n, err := strconv.Atoi(strings.TrimSpace(argument[i+1:]))
	if err != nil || n < 0 {
		return "", fmt.Errorf("split(%s) does not say which part is meant", argument)
	}
	pattern := argument[:i]
	switch {
	case plainPattern.MatchString(pattern):
		return fmt.Sprintf("split(%s, %s)[%d]", expr, text(pattern), n), nil
	case pattern == `\s` || pattern == `\s+`:
		return fmt.Sprintf("split(%s)[%d]", expr, n), nil
	}
	if _, err := regexp.Compile(pattern); err != nil {
		return "", fmt.Errorf("the pattern of split(%s) cannot be read: %w", argument, err)
	}
	return fmt.Sprintf(`split(regex_replace(%s, %s, "\u001f"), "\u001f")[%d]`, expr, text(pattern), n), nil
}

func (r *reader) substring(expr, argument string) (string, error) {
	parts := strings.Split(argument, ",")
	if len(parts) > 2 {
		return "", fmt.Errorf("substring(%s) has too many numbers", argument)
	}
	for _, p := range parts {
		if n, err := strconv.Atoi(strings.TrimSpace(p)); err != nil || n < 0 {
			return "", fmt.Errorf("substring(%s) needs whole numbers", argument)
		}
	}
	r.note(Changed, "a text that is too short gives what there is; MOTECH failed the task")
	return "substring(" + expr + ", " + strings.ReplaceAll(strings.ReplaceAll(argument, " ", ""), ",", ", ") + ")", nil
}

// format has the value itself as the format, with %s for each argument.
func (r *reader) format(expr, argument string) (string, error) {
	args := []string{"replace(text(" + expr + `), "%s", "{}")`}
	for _, a := range splitArguments(argument) {
		if key, ok := strings.CutPrefix(a, "{{"); ok {
			e, err := r.keyed(strings.TrimSpace(strings.TrimSuffix(key, "}}")))
			if err != nil {
				return "", err
			}
			args = append(args, e)
			continue
		}
		args = append(args, text(a))
	}
	return "format(" + strings.Join(args, ", ") + ")", nil
}

// splitArguments splits at commas outside of braces.
func splitArguments(s string) []string {
	var out []string
	depth, from := 0, 0
	for i, c := range s {
		switch {
		case c == '{' || c == '(':
			depth++
		case c == '}' || c == ')':
			depth--
		case c == ',' && depth == 0:
			out = append(out, strings.TrimSpace(s[from:i]))
			from = i + 1
		}
	}
	if rest := strings.TrimSpace(s[from:]); rest != "" || len(out) > 0 {
		out = append(out, rest)
	}
	return out
}

// patternLetters are the letters of Joda-Time's patterns that Culvert has too.
const patternLetters = "yYMdEHhmsSaZXz"

// dated translates what has a pattern of Joda-Time, of whose letters Culvert has those of dates and times.
func (r *reader) dated(function, expr, pattern string) (string, error) {
	pattern = strings.TrimSpace(pattern)
	unquoted := regexp.MustCompile(`'[^']*'`).ReplaceAllString(pattern, "")
	for _, letter := range jodaLetters.FindAllString(unquoted, -1) {
		if !slices.Contains(strings.Split(patternLetters, ""), letter) {
			return "", fmt.Errorf("the pattern %q has the letter %s, for which Culvert has nothing", pattern, letter)
		}
	}
	return function + "(" + expr + ", " + text(strings.NewReplacer("Y", "y", "z", "Z").Replace(pattern)) + ")", nil
}
