package compile

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/culvert/culvert/actions/dhis2/metadata"
	"github.com/culvert/culvert/actions/dhis2/value"
	"github.com/culvert/culvert/rules"
	"github.com/culvert/culvert/rules/dateformat"
	"github.com/culvert/culvert/rules/diag"
	"github.com/culvert/culvert/rules/yamlnode"
)

// valued is a field whose values must fit a DHIS2 value type.
type valued struct {
	*rules.Field
	uid     string // of the attribute or data element
	name    string // as the rule calls it
	kind    value.Kind
	people  *associatedType // whose people it names; nil: it names nobody
	literal string          // the converted literal of {value: ...}
	fixed   bool
}

// state says what a field came to.
type state int

const (
	stateSet state = iota
	stateOmit
	stateClear
)

// eval gives the field's value on one record as DHIS2 takes it. The error is a *rules.Failure.
func (v *valued) eval(s *rules.Scope, c *value.Context) (string, state, error) {
	out, st, err := v.evalFile(s, c)
	return out.Text, st, err
}

// evalFile is eval for values that may be files.
func (v *valued) evalFile(s *rules.Scope, c *value.Context) (value.Result, state, error) {
	if v.fixed {
		v.trace(s, v.Value, v.literal, nil)
		return value.Result{Text: v.literal}, stateSet, nil
	}
	r, err := v.Field.Eval(s)
	if err != nil {
		return value.Result{}, stateOmit, v.unfit(s, err)
	}
	if r.Blank {
		if r.Clear {
			return value.Result{}, stateClear, nil
		}
		return value.Result{}, stateOmit, nil
	}
	in := r.Value
	if v.kind.HoldsFile() {
		later, missing, err := v.attached(s, &in)
		switch {
		case err != nil:
			return value.Result{}, stateOmit, v.unfit(s, err)
		case missing:
			return value.Result{}, stateOmit, s.Leave(v.notAttached(r.Value))
		case later.File != nil:
			v.trace(s, r.Value, later.File.String(), nil)
			return later, stateSet, nil
		}
	}
	out, problem := v.kind.Convert(in, c)
	if problem != nil {
		failure := v.failure(problem, r)
		v.trace(s, r.Value, nil, failure)
		return value.Result{}, stateOmit, v.unfit(s, failure)
	}
	if out.Blank {
		text, st, err := v.blank()
		return value.Result{Text: text}, st, s.Keep(err)
	}
	if out.File != nil {
		v.trace(s, "(a file)", out.File.String(), nil)
		return out, stateSet, nil
	}
	if failure := v.nobody(out, r); failure != nil {
		return value.Result{}, stateOmit, v.unfit(s, failure)
	}
	v.trace(s, r.Value, out.Text, nil)
	if out.Remark != nil {
		s.Remark(v.failure(out.Remark, r))
	}
	return out, stateSet, nil
}

// doubt is what is to be said of the value of a record of the sample: that DHIS2 would not take it, or
// that it lies far outside of the country. nil when nothing is, or there is no value.
func (v *valued) doubt(s *rules.Scope, c *value.Context) *rules.Failure {
	r, err := v.Field.Eval(s)
	if f := orderUnknown(err); f != nil {
		return f
	}
	if err != nil || r.Blank || v.LeaveInvalid || v.kind.NamesPerson() {
		return nil
	}
	in := r.Value
	if v.kind.HoldsFile() {
		if _, missing, err := v.attached(s, &in); err != nil || missing {
			return nil
		}
		if name, ok := v.kind.Unwrap(in).(string); ok && rules.NamesFile(strings.TrimSpace(name)) {
			return nil // it is looked for when the record comes
		}
	}
	out, problem := v.kind.Convert(in, c)
	switch {
	case problem != nil:
		return v.failure(problem, r)
	case out.Remark != nil:
		return v.failure(out.Remark, r)
	}
	return nil
}

// comesWithout is that a record of the sample names a file where none can come with records. how says what would
// let it come.
func (v *valued) comesWithout(s *rules.Scope, how string) *rules.Failure {
	r, err := v.Field.Eval(s)
	if err != nil || r.Blank {
		return nil
	}
	if name, ok := v.kind.Unwrap(r.Value).(string); !ok || !rules.NamesFile(strings.TrimSpace(name)) {
		return nil
	}
	return v.failure(&diag.Problem{Code: "file-unreadable",
		Message: "names a file, and no files come with the records of this trigger", Hint: how}, r)
}

// attached finds the file that a value names: one that the source has sent with the record takes
// the value's place, one that lies elsewhere is fetched when it is sent. missing: files came with
// the record, and this one is not among them. The error is a *rules.Failure.
func (v *valued) attached(s *rules.Scope, in *any) (later value.Result, missing bool, err error) {
	text, ok := v.kind.Unwrap(*in).(string)
	if !ok {
		return value.Result{}, false, nil
	}
	name := strings.TrimSpace(text)
	body, _ := s.Body().(map[string]any)
	files, some := body[attachmentsKey].(map[string]any)
	if file, ok := files[name].(map[string]any); ok && file["base64"] != nil {
		*in = file
		return value.Result{}, false, nil
	}
	a, err := s.Attachment(name)
	if e, ok := errors.AsType[*rules.AttachmentError](err); ok {
		return value.Result{}, false, &rules.Failure{Problem: diag.Problem{Code: e.Code, Place: v.place(),
			Field: v.name, Column: v.Column(),
			Value: private(name), Message: fmt.Sprintf("%q %s", v.name, e.Message), Hint: e.Hint}}
	}
	if a != nil {
		return v.kind.Later(a.Name, a.Key, a.Fetch), false, nil
	}
	return value.Result{}, some && rules.NamesFile(name), nil
}

// notAttached is why a record goes on without a file. Phones send a form with many photos in
// several parts, each with the whole form and some of the photos, so that a photo that is not there
// comes, or came, with another.
func (v *valued) notAttached(name any) *rules.Failure {
	return &rules.Failure{Problem: diag.Problem{
		Code: "file-not-attached", Place: v.place(), Field: v.name, Column: v.Column(), Value: private(name),
		Message: fmt.Sprintf("%q names a file that did not come with this part of the record", v.name),
		Hint:    "nothing, when the source sends a record's files in several parts; else see that it sends the file",
	}}
}

// attachmentsKey is where sources put the files that come with a record: by their names, each {name, type, base64}.
const attachmentsKey = "attachments"

// unfit is what a value that does not fit does: it is left out with a remark where the rule says
// so, else the record fails. A value that is blank where the rule asks for one is not one that does
// not fit.
func (v *valued) unfit(s *rules.Scope, err error) error {
	var f *rules.Failure
	if v.LeaveInvalid && errors.As(err, &f) && f.Code != "blank-value" {
		return s.Leave(err)
	}
	return s.Keep(err)
}

// blank is what a value that turns out blank when converted does, such as a TRUE_ONLY that is false.
func (v *valued) blank() (string, state, error) {
	switch v.Field.Blank {
	case rules.BlankClear:
		return "", stateClear, nil
	case rules.BlankFail:
		return "", 0, &rules.Failure{Problem: diag.Problem{
			Code: "blank-value", Place: v.place(), Field: v.name, Column: v.Column(),
			Message: fmt.Sprintf("%q is blank",
				v.name), Hint: "fill it in at the source, or say blank: omit or a default in the rule",
		}}
	}
	return "", stateOmit, nil
}

func (v *valued) trace(s *rules.Scope, in, out any, failed *rules.Failure) {
	if s.Trace == nil {
		return
	}
	step := rules.Step{What: "value", Name: v.name, In: in, Out: out, Type: v.kind.Type, Place: v.place(), Failed: failed}
	if v.From != nil {
		step.Expr = v.From.Text
	}
	s.Trace(step)
}

func (v *valued) place() diag.Place { return placeOf(v.Field) }

func placeOf(f *rules.Field) diag.Place {
	if f.From != nil {
		return f.From.Place
	}
	return f.Place
}

// failure names field, rule line and fix; the value stays private.
func (v *valued) failure(p *diag.Problem, r rules.Result) *rules.Failure {
	in := r.In
	if in == nil {
		in = r.Value // of a default
	}
	f := &rules.Failure{Problem: diag.Problem{
		Code: p.Code, Place: v.place(), Field: v.name, Column: v.Column(), Value: private(in),
		Message: fmt.Sprintf("%q %s", v.name, p.Message), Hint: v.kind.Hint(p, r.Value),
	}}
	if f.Value != "" && rules.IsNoAnswer(f.Value) {
		f.Hint = "if this is how the source writes that there is no answer, declare it: missing: [...] on the trigger or " +
			"the field makes it blank"
	}
	return f
}

func private(v any) string {
	s, ok := value.Text(v, nil)
	if !ok {
		s = fmt.Sprint(v)
	}
	if len(s) > 200 {
		s = strings.ToValidUTF8(s[:200], "") + "..."
	}
	return s
}

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
