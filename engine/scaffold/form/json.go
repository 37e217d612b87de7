package form

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// readJSON reads an asset of KoboToolbox (/api/v2/assets/UID.json, or its content alone) or the
// structure of a CommCare app (/a/DOMAIN/api/v0.5/application/APP/).
func readJSON(data []byte, name string) (*Form, error) {
	var doc struct {
		Name    any          `json:"name"`
		Content *koboContent `json:"content"`
		koboContent
		Modules []module `json:"modules"`
		Objects []struct {
			Modules []module `json:"modules"`
		} `json:"objects"`
	}
	if err := json.Unmarshal(data, &doc); err != nil {
		return nil, fmt.Errorf("read its JSON: %w", err)
	}
	for _, app := range doc.Objects {
		doc.Modules = append(doc.Modules, app.Modules...)
	}
	switch {
	case doc.Content != nil:
		return doc.Content.form(text(doc.Name))
	case doc.Survey != nil:
		return doc.form(text(doc.Name))
	case doc.Modules != nil:
		return appForm(doc.Modules, name)
	}
	return nil, errors.New("it has neither content with a survey (a KoboToolbox asset) nor modules (a CommCare app); " +
		"a record belongs to --sample")
}

type koboContent struct {
	Survey  []map[string]any `json:"survey"`
	Choices []map[string]any `json:"choices"`
}

func (c *koboContent) form(name string) (*Form, error) {
	b := builder{form: &Form{Name: name, Tool: Kobo}, lists: choiceLists(rowsFromJSON(c.Choices))}
	return b.build(rowsFromJSON(c.Survey))
}

// rowsFromJSON gives lines as those of a sheet; a label in several languages is a list.
func rowsFromJSON(list []map[string]any) []row {
	out := make([]row, 0, len(list))
	for _, m := range list {
		r := row{}
		for _, key := range slices.Sorted(maps.Keys(m)) {
			switch v := m[key].(type) {
			case []any:
				for _, item := range v {
					r[header(key)] = append(r[header(key)], text(item))
				}
			default:
				r[header(key)] = append(r[header(key)], text(v))
			}
		}
		out = append(out, r)
	}
	return out
}

func text(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case string:
		return v
	case map[string]any: // a name in several languages
		for _, key := range slices.Sorted(maps.Keys(v)) {
			if s := text(v[key]); s != "" {
				return s
			}
		}
		return ""
	}
	return fmt.Sprint(v)
}

type module struct {
	Name     any       `json:"name"`
	CaseType string    `json:"case_type"`
	Forms    []appPart `json:"forms"`
}

type appPart struct {
	Name      any           `json:"name"`
	XMLNS     string        `json:"xmlns"`
	Questions []appQuestion `json:"questions"`

	cases bool // the module is one of cases
}

type appQuestion struct {
	Label        any            `json:"label"`
	Translations map[string]any `json:"translations"`
	Tag          string         `json:"tag"`
	Type         string         `json:"type"`
	Value        string         `json:"value"`
	Repeat       string         `json:"repeat"`
	Options      []struct {
		Label        any            `json:"label"`
		Translations map[string]any `json:"translations"`
		Value        string         `json:"value"`
	} `json:"options"`
}

// appForm chooses a form of an app.
func appForm(modules []module, name string) (*Form, error) {
	var names []string
	var fits []appPart
	for _, m := range modules {
		for _, f := range m.Forms {
			full := text(m.Name) + " / " + text(f.Name)
			names = append(names, fmt.Sprintf("%q", full))
			if name == "" || name == f.XMLNS || strings.EqualFold(name, text(f.Name)) || strings.EqualFold(name, full) {
				f.cases = m.CaseType != ""
				fits = append(fits, f)
			}
		}
	}
	switch {
	case len(names) == 0:
		return nil, errors.New("the app has no form")
	case len(fits) != 1:
		why := "the app has several forms"
		if name != "" {
			why = fmt.Sprintf("%d forms of the app are called %q", len(fits), name)
		}
		return nil, fmt.Errorf("%s: choose one with --form-name, by its name, module / name or xmlns: %s", why,
			strings.Join(names[:min(len(names), 30)], ", "))
	}
	form := &Form{Name: text(fits[0].Name), Tool: CommCare, Cases: fits[0].cases}
	repeats := map[string]bool{}
	for _, q := range fits[0].Questions {
		repeats[strings.Trim(q.Repeat, "/")] = true
		if q.Tag == "repeat" || strings.EqualFold(q.Type, "repeat") {
			repeats[strings.Trim(q.Value, "/")] = true
		}
	}
	for _, q := range fits[0].Questions {
		if one, ok := q.question(repeats); ok {
			form.Questions = append(form.Questions, one)
		}
	}
	return form, nil
}

// appTypes are the types of questions that CommCare's form builder tells.
var appTypes = map[string]Type{
	"text": Text, "int": Integer, "long": Integer, "double": Decimal, "date": Date, "datetime": DateTime, "time": Time,
	"geopoint": Point, "select": One, "mselect": Several, "databindonly": Hidden, "phonenumber": Text, "barcode": Text,
	"secret": Text, "image": File, "audio": File, "video": File, "signature": File,
}

// tags tell the type where the builder's is not given.
var tags = map[string]Type{"input": Text, "select1": One, "select": Several, "hidden": Hidden, "upload": File,
	"secret": Text}

// question reads one; repeats are the paths of all repeats of the form.
func (q appQuestion) question(repeats map[string]bool) (Question, bool) {
	t, ok := appTypes[strings.ToLower(q.Type)]
	if !ok {
		t, ok = tags[q.Tag]
	}
	parts := strings.Split(strings.Trim(q.Value, "/"), "/")
	if !ok || len(parts) < 2 || len(parts) > maxDepth {
		return Question{}, false // a group, a label, a menu
	}
	out := Question{Path: parts[1:], Type: t} // the first is the form itself
	for n := 1; n < len(out.Path); n++ {
		if repeats[strings.Join(parts[:n+1], "/")] {
			out.Repeats = append(out.Repeats, n)
		}
	}
	out.Labels = labelsOf(q.Label, q.Translations)
	for _, o := range q.Options {
		out.Choices = append(out.Choices, Choice{Name: o.Value, Labels: labelsOf(o.Label, o.Translations)})
	}
	return out, true
}

func labelsOf(label any, translations map[string]any) []string {
	list := addLabel(nil, text(label))
	for _, key := range slices.Sorted(maps.Keys(translations)) {
		list = addLabel(list, text(translations[key]))
	}
	return list
}
