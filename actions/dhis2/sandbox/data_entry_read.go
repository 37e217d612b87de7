package sandbox

// entryReader reads a data value set as 2.43 and later do (DataEntryInput.fromJson): every identifier, value and comment is a string, every flag
// a boolean; anything else breaks off the request.
type entryReader struct{ err error }

func (r *entryReader) wrong(name, wants string, v *node) {
	if r.err != nil {
		return
	}
	kinds := map[jsonKind]string{jsonNumber: "NUMBER", jsonBool: "BOOLEAN", jsonArray: "ARRAY", jsonObject: "OBJECT", jsonString: "STRING"}
	r.err = dhis2Words("Path `$." + name + "` does not contain an " + wants + " but a(n) " + kinds[v.kind] + ": " + v.text)
}

// text reads a string; nil where there is none.
func (r *entryReader) text(n *node, name string) *string {
	v := n.get(name)
	switch {
	case v == nil:
		return nil
	case v.kind != jsonString:
		r.wrong(name, "STRING", v)
		return nil
	}
	s := v.text
	return &s
}

func (r *entryReader) must(n *node, name string) string {
	if p := r.text(n, name); p != nil {
		return *p
	}
	return ""
}

func (r *entryReader) flag(n *node, name string) bool {
	v := n.get(name)
	switch {
	case v == nil:
		return false
	case v.kind != jsonBool:
		r.wrong(name, "BOOLEAN", v)
		return false
	}
	return v.bool
}

func (r *entryReader) maybe(n *node, name string) *bool {
	if n.get(name) == nil {
		return nil
	}
	f := r.flag(n, name)
	return &f
}

// combo reads an option combo, which may be told as an object of categories and options; that form names none here.
func (r *entryReader) combo(n *node, name string) string {
	if v := n.get(name); v != nil && v.kind == jsonObject {
		return ""
	}
	return r.must(n, name)
}

func (r *entryReader) set(root *node, o *dataOptions) *valueSet {
	s := &valueSet{dataSet: r.must(root, "dataSet"), completeDate: r.must(root, "completeDate"), period: r.must(root, "period"), orgUnit: r.must(root, "orgUnit"),
		combo: r.combo(root, "attributeOptionCombo")}
	if root.get("dryRun") != nil {
		o.dryRun = r.flag(root, "dryRun")
	}
	for name, kind := range dataSchemes {
		if x := r.must(root, name); x != "" {
			o.schemes[kind] = foldScheme(x)
		}
	}
	values := root.get("dataValues")
	if values == nil {
		return s
	}
	if values.kind != jsonArray {
		r.wrong("dataValues", "ARRAY", values)
		return s
	}
	for _, v := range values.items {
		if v.kind != jsonObject {
			r.wrong("dataValues", "OBJECT", v)
			return s
		}
		s.values = append(s.values, datumIn{element: r.must(v, "dataElement"), period: r.must(v, "period"), orgUnit: r.must(v, "orgUnit"),
			combo: r.combo(v, "categoryOptionCombo"), attributeCombo: r.must(v, "attributeOptionCombo"), value: emptyIsNil(r.text(v, "value")),
			comment: emptyIsNil(r.text(v, "comment")), followUp: r.maybe(v, "followUp"), deleted: r.flag(v, "deleted")})
	}
	return s
}
