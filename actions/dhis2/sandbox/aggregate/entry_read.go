package aggregate

import (
	"github.com/culvert/culvert/actions/dhis2/sandbox/jsontree"
	"github.com/culvert/culvert/actions/dhis2/sandbox/rest"
)

// entryReader reads a data value set as 2.43 and later do (DataEntryInput.fromJson): every
// identifier, value and comment is a string, every flag a boolean; anything else breaks off the
// request.
type entryReader struct{ err error }

func (r *entryReader) wrong(name, wants string, v *jsontree.Node) {
	if r.err != nil {
		return
	}
	kinds := map[jsontree.Kind]string{jsontree.Number: "NUMBER", jsontree.Bool: "BOOLEAN", jsontree.Array: "ARRAY",
		jsontree.Object: "OBJECT", jsontree.String: "STRING"}
	r.err = rest.Verbatim("Path `$." + name + "` does not contain an " + wants + " but a(n) " + kinds[v.Kind] + ": " +
		v.Text)
}

// text reads a string; nil where there is none.
func (r *entryReader) text(n *jsontree.Node, name string) *string {
	v := n.Get(name)
	switch {
	case v == nil:
		return nil
	case v.Kind != jsontree.String:
		r.wrong(name, "STRING", v)
		return nil
	}
	s := v.Text
	return &s
}

func (r *entryReader) must(n *jsontree.Node, name string) string {
	if p := r.text(n, name); p != nil {
		return *p
	}
	return ""
}

func (r *entryReader) flag(n *jsontree.Node, name string) bool {
	v := n.Get(name)
	switch {
	case v == nil:
		return false
	case v.Kind != jsontree.Bool:
		r.wrong(name, "BOOLEAN", v)
		return false
	}
	return v.Bool
}

func (r *entryReader) maybe(n *jsontree.Node, name string) *bool {
	if n.Get(name) == nil {
		return nil
	}
	f := r.flag(n, name)
	return &f
}

// combo reads an option combo, which may be told as an object of categories and options; that form names none here.
func (r *entryReader) combo(n *jsontree.Node, name string) string {
	if v := n.Get(name); v != nil && v.Kind == jsontree.Object {
		return ""
	}
	return r.must(n, name)
}

func (r *entryReader) set(root *jsontree.Node, o *dataOptions) *valueSet {
	s := &valueSet{dataSet: r.must(root, "dataSet"), completeDate: r.must(root, "completeDate"),
		period: r.must(root, "period"), orgUnit: r.must(root, "orgUnit"),
		combo: r.combo(root, "attributeOptionCombo")}
	if root.Get("dryRun") != nil {
		o.dryRun = r.flag(root, "dryRun")
	}
	for name, kind := range dataSchemes {
		if x := r.must(root, name); x != "" {
			o.schemes[kind] = foldScheme(x)
		}
	}
	values := root.Get("dataValues")
	if values == nil {
		return s
	}
	if values.Kind != jsontree.Array {
		r.wrong("dataValues", "ARRAY", values)
		return s
	}
	for _, v := range values.Items {
		if v.Kind != jsontree.Object {
			r.wrong("dataValues", "OBJECT", v)
			return s
		}
		s.values = append(s.values, datumIn{element: r.must(v, "dataElement"), period: r.must(v, "period"),
			orgUnit: r.must(v, "orgUnit"),
			combo:   r.combo(v, "categoryOptionCombo"), attributeCombo: r.must(v, "attributeOptionCombo"),
			value:   rest.EmptyIsNil(r.text(v, "value")),
			comment: rest.EmptyIsNil(r.text(v, "comment")), followUp: r.maybe(v, "followUp"), deleted: r.flag(v, "deleted")})
	}
	return s
}
