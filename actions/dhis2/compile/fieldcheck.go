package compile

import (
	"errors"
	"fmt"
	"slices"

	"github.com/culvert/culvert/actions/dhis2/metadata"
	"github.com/culvert/culvert/actions/dhis2/value"
	"github.com/culvert/culvert/rules"
	"github.com/culvert/culvert/rules/dateformat"
	"github.com/culvert/culvert/rules/diag"
	"github.com/culvert/culvert/rules/yamlnode"
)

// attributeKind and elementKind say what values of an attribute or data element must be.
func (w *env) attributeKind(a *metadata.TrackedEntityAttribute, future bool) value.Kind {
	return value.Kind{Type: a.ValueType, Options: w.optionsOf(a.OptionSet), Future: future, OneOption: w.oneOption(),
		Max: value.MaxAttribute, Files: true, People: true}
}

func (w *env) elementKind(e *metadata.DataElement, future bool) value.Kind {
	return value.Kind{Type: e.ValueType, Options: w.optionsOf(e.OptionSet), Future: future, OneOption: w.oneOption(),
		Max: value.MaxDataValue}
}

func (w *env) optionsOf(set *metadata.Ref) *value.Options {
	if set == nil {
		return nil
	}
	if known, ok := w.options.Load(set.ID); ok {
		return known.(*value.Options)
	}
	found := w.x.OptionSetByID(set.ID)
	if found == nil {
		return nil
	}
	options, _ := w.options.LoadOrStore(set.ID, value.NewOptions(found))
	return options.(*value.Options)
}

// oneOption holds for servers that refuse several options in a tracker value, which 2.41 was the first to take.
func (w *env) oneOption() bool {
	minor := w.minor()
	return minor > 0 && minor < 41
}

// valued compiles the value of an attribute or data element and checks what can be checked without
// a record: literals, and every right-hand side of its value map.
func (c *compiler) valued(n *yamlnode.Node, uid, name string, kind value.Kind) *valued {
	f := c.fieldOf(name, n)
	if f == nil {
		return nil
	}
	if p := kind.Unsupported(); p != nil {
		c.errorAt(f.Place, p.Code, p.Hint, "%q %s", name, p.Message)
		return nil
	}
	if kind.Type == "GEOJSON" {
		c.warnAt(f.Place, "geojson-stops-analytics",
			"give the shape as geometry: where DHIS2 has a feature type for it, or leave the values out of the analytics "+
				`tables there ("Skip analytics" of the data element in its stage, a confidential attribute)`,
			"%q is of the type GeoJSON, and DHIS2 makes no analytics tables at all while such a value holds GeoJSON", name)
	}
	kind, err := kind.WithFormat(f.Format)
	if err != nil {
		c.errorAt(f.FormatPlace, "bad-format", formatHint(err), "the format of %q %s", name, err.Error())
		return nil
	}
	v := &valued{Field: f, uid: uid, name: name, kind: kind}
	if kind.NamesPerson() {
		if v.people = c.associates(f.Place, name); v.people == nil {
			return nil
		}
	}
	if kind.Type == "COORDINATE" {
		v.kind.Order = c.orderOf(name, f)
	} else {
		c.checkOne(name, &kind, f)
	}
	f.TryOnSample = func(s *rules.Scope) *rules.Failure { return v.doubt(s, c.context) }
	if how := c.spec.Rule().Trigger.NoFiles; how != "" && kind.HoldsFile() && !f.LeaveInvalid {
		f.CannotCome = func(s *rules.Scope) *rules.Failure { return v.comesWithout(s, how) }
	}
	if literal, ok := f.Literal(); ok {
		if kind.HoldsFile() {
			c.errorAt(literalPlace(n), "wrong-literal", "take the file from the record: {from: ...}",
				"%q is a file, which cannot be written into a rule", name)
			return nil
		}
		out, problem := v.kind.Convert(literal, c.context)
		if problem != nil {
			c.errorAt(literalPlace(n), literalCode(problem.Code), c.hint(&kind, problem, literal), "the value of %q %s", name,
				problem.Message)
			return nil
		}
		if out.Remark != nil {
			c.warnAt(literalPlace(n), out.Remark.Code, out.Remark.Hint, "the value of %q %s", name, out.Remark.Message)
		}
		v.literal, v.fixed = out.Text, !out.Blank
		c.useOption(uid, out.Text, literalPlace(n))
	}
	c.checkMap(v)
	return v
}

// checkOne reports an expression that gives a list or an object where one value is needed.
func (c *compiler) checkOne(name string, kind *value.Kind, f *rules.Field) {
	if f.From == nil || kind.Type == "GEOJSON" || kind.HoldsFile() || kind.NamesPerson() {
		return
	}
	shape, text := f.From.Shape(), f.From.Text
	switch fields := shape.Fields(""); {
	case shape.IsList() && kind.Type != "MULTI_TEXT":
		c.errorAt(f.From.Place, "not-one-value",
			fmt.Sprintf(`write first(%s) for one item, join(%s, ", ") for all, or repeat the action with for_each:`, text, text),
			"%q takes one value, and %s is a list", name, text)
	case shape.IsObject() && !slices.Contains(fields, "#text") && !slices.Contains(fields, "ancestors"):
		c.errorAt(f.From.Place, "not-one-value", diag.Known(fields, "fields"), "%q takes one value, and %s is an object",
			name, text)
	}
}

// formatHint is what a date format's own error advises.
func formatHint(err error) string {
	var e *dateformat.Error
	if errors.As(err, &e) {
		return e.Hint
	}
	return "dates take a pattern such as dd/MM/yyyy, numbers an example such as 1.234,5"
}

func literalPlace(n *yamlnode.Node) diag.Place {
	if v := n.Get("value"); v != nil {
		return v.Place()
	}
	return n.Place()
}

// literalCode and mapCode sort what is wrong with a value in the rule itself: no option, or any other misfit.
func literalCode(code string) string {
	if code == "unknown-option" || code == "ambiguous-option" || code == "files-not-sent" {
		return code
	}
	return "wrong-literal"
}

func mapCode(code string) string {
	switch code {
	case "unknown-option":
		return "map-unknown-option"
	case "ambiguous-option":
		return code
	}
	return "map-wrong-value"
}

func (c *compiler) hint(kind *value.Kind, p *diag.Problem, v any) string {
	if p.Code == "unknown-option" {
		s, _ := value.Text(v, nil)
		return diag.Suggest(s, kind.Options.Names(), "options of "+kind.Options.Name)
	}
	return p.Hint
}

// checkMap reports right-hand sides of a value map that DHIS2 would refuse.
func (c *compiler) checkMap(v *valued) {
	if v.Map == nil {
		return
	}
	for _, out := range v.Map.Outputs() {
		if out.Out == "" {
			continue
		}
		sent, problem := v.kind.Convert(out.Out, c.context)
		if problem != nil {
			c.errorAt(out.Place, mapCode(problem.Code), c.hint(&v.kind, problem, out.Out),
				"%q in the map%s %s, so it cannot go into %q", out.Out, mapName(v.Map), problem.Message, v.name)
			continue
		}
		if sent.Remark != nil {
			c.warnAt(out.Place, sent.Remark.Code, sent.Remark.Hint, "%q in the map%s %s", out.Out, mapName(v.Map),
				sent.Remark.Message)
		}
		c.useOption(v.uid, sent.Text, out.Place)
	}
}

// useOption notes that the rule names an option, of the attribute or data element with a uid.
func (c *compiler) useOption(uid, code string, place diag.Place) {
	var set *metadata.Ref
	if a := c.x.AttributeByID(uid); a != nil {
		set = a.OptionSet
	} else if e := c.x.DataElementByID(uid); e != nil {
		set = e.OptionSet
	}
	if set == nil {
		return
	}
	if options := c.x.OptionSetByID(set.ID); options != nil {
		if o := c.x.OptionByCode(options, code); o != nil {
			c.use(o.ID, place)
		}
	}
}

// mapName names a map, which may stand in the field itself and have no name.
func mapName(m *rules.ValueMap) string {
	if m.Name == "" {
		return ""
	}
	return fmt.Sprintf(" %q", m.Name)
}
