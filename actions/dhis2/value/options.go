package value

import (
	"slices"
	"strings"

	"github.com/culvert/culvert/actions/dhis2/metadata"
	"github.com/culvert/culvert/rules/diag"
)

// Options finds options by code or name. It is read-only and safe for concurrent use.
type Options struct {
	Name   string
	codes  map[string]string   // exact code -> code
	names  map[string][]string // exact name -> codes
	folded map[string][]string // code or name in lower case -> codes
	ids    map[string]string   // uid -> code: lookups find options
	list   []string            // what a person may write, for suggestions
}

// NewOptions builds the finder of an option set.
func NewOptions(set *metadata.OptionSet) *Options {
	o := &Options{Name: set.Name, codes: map[string]string{}, names: map[string][]string{}, folded: map[string][]string{},
		ids: map[string]string{}}
	for _, option := range set.Options {
		o.codes[option.Code] = option.Code
		o.ids[option.ID] = option.Code
		if !slices.Contains(o.names[option.Name], option.Code) {
			o.names[option.Name] = append(o.names[option.Name], option.Code)
		}
		o.fold(option.Code, option.Code)
		o.fold(option.Name, option.Code)
		o.list = append(o.list, option.Code)
		if option.Name != option.Code {
			o.list = append(o.list, option.Name)
		}
	}
	return o
}

func (o *Options) fold(text, code string) {
	key := strings.ToLower(text)
	for _, c := range o.folded[key] {
		if c == code {
			return
		}
	}
	o.folded[key] = append(o.folded[key], code)
}

// Find gives the codes of the options that a text means: by its code, then by its name, then by
// either of them in other letters' case, then by its uid. Several fit where a set has options of one name; which is
// meant is never guessed.
func (o *Options) Find(text string) (codes []string) {
	if code, ok := o.codes[text]; ok {
		return []string{code}
	}
	if fits := o.names[text]; len(fits) > 0 {
		return fits
	}
	if fits := o.folded[strings.ToLower(text)]; len(fits) > 0 {
		return fits
	}
	if code, ok := o.ids[text]; ok {
		return []string{code}
	}
	return nil
}

// one gives the option that a text means; a problem when it means none, or several.
func (o *Options) one(text string) (string, *diag.Problem) {
	switch codes := o.Find(text); len(codes) {
	case 1:
		return codes[0], nil
	case 0:
		return "", o.unknown()
	default:
		return "", o.ambiguous(codes)
	}
}

// maxCodes is how many codes a problem names.
const maxCodes = 10

func (o *Options) ambiguous(codes []string) *diag.Problem {
	quoted := make([]string, 0, maxCodes)
	for _, code := range codes[:min(maxCodes, len(codes))] {
		quoted = append(quoted, quote(code))
	}
	return &diag.Problem{Code: "ambiguous-option",
		Message: "is the name of several options of the option set " + quote(o.Name),
		Hint:    "use the code of the one that is meant: " + strings.Join(quoted, ", ")}
}

// Names gives codes and names, in the order of the option set, for suggestions.
func (o *Options) Names() []string { return o.list }

func (o *Options) unknown() *diag.Problem {
	return &diag.Problem{Code: "unknown-option", Message: "is not an option of the option set " + quote(o.Name),
		Hint: "map it to the code or name of an option, or add the option in DHIS2 and sync"}
}

func (k *Kind) option(v any) (Result, *diag.Problem) {
	s, ok := Text(v, nil)
	if !ok {
		return Result{}, notOne(v)
	}
	s = strings.TrimSpace(s)
	if s == "" {
		return Result{Blank: true}, nil
	}
	code, problem := k.Options.one(s)
	if problem == nil {
		return Result{Text: code}, nil
	}
	if problem.Code == "ambiguous-option" {
		return Result{}, problem
	}
	// A boolean's option set has the codes true and false, whatever word the source uses.
	if k.Type == "BOOLEAN" || k.Type == "TRUE_ONLY" {
		if r, p := boolean(v); p == nil {
			if code, p := k.Options.one(r.Text); p == nil {
				return Result{Text: code}, nil
			}
		}
	}
	// 3.0 of a spreadsheet is the option 3.
	if n, ok := canonical(s); ok {
		if code, p := k.Options.one(strings.TrimSuffix(n, ".0")); p == nil {
			return Result{Text: code}, nil
		}
	}
	return Result{}, problem
}

// multi converts a select-multiple: a list, or options separated by commas, or by spaces as form tools write them.
func (k *Kind) multi(v any) (Result, *diag.Problem) {
	parts, problem := choices(v)
	if problem != nil {
		return Result{}, problem
	}
	if len(parts) == 0 {
		return Result{Blank: true}, nil
	}
	if k.Options == nil {
		return Result{Text: strings.Join(parts, ",")}, nil
	}
	codes, problem := k.each(parts)
	if problem != nil && problem.Code == "unknown-option" && len(parts) == 1 {
		codes, problem = k.each(strings.Fields(parts[0]))
	}
	if problem != nil {
		return Result{}, problem
	}
	if k.OneOption && len(codes) > 1 {
		return Result{}, &diag.Problem{Code: "several-options",
			Message: "holds several options, which this version of DHIS2 refuses",
			Hint:    "send the most important one, or use one data element for each option"}
	}
	return Result{Text: strings.Join(codes, ",")}, nil
}

func choices(v any) ([]string, *diag.Problem) {
	var raw []string
	switch v := v.(type) {
	case []any:
		for _, item := range v {
			s, ok := Text(item, nil)
			if !ok {
				return nil, notOne(item)
			}
			raw = append(raw, s)
		}
	case []string:
		raw = v
	default:
		s, ok := Text(v, nil)
		if !ok {
			return nil, notOne(v)
		}
		raw = strings.Split(s, ",")
	}
	var parts []string
	for _, s := range raw {
		if s = strings.TrimSpace(s); s != "" {
			parts = append(parts, s)
		}
	}
	return parts, nil
}

func (k *Kind) each(parts []string) (codes []string, problem *diag.Problem) {
	seen := map[string]bool{}
	for _, part := range parts {
		code, problem := k.Options.one(part)
		if problem != nil {
			return nil, problem
		}
		if !seen[code] {
			seen[code] = true
			codes = append(codes, code)
		}
	}
	if len(codes) == 0 {
		return nil, k.Options.unknown()
	}
	return codes, nil
}

func quote(s string) string { return `"` + s + `"` }
