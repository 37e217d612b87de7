package sandbox

import (
	"mime"
	"net/http"
	"net/url"
	"strings"
)

// oneValue reads a value from the query, a form or a JSON body.
func (c *valueCall) oneValue() (datumIn, *problem) {
	var in datumIn
	kind, _, _ := mime.ParseMediaType(c.r.Header.Get("Content-Type"))
	if c.r.Method == http.MethodPost && kind == "application/json" && c.query.Get("de") == "" {
		body, p := c.readBody()
		if p != nil {
			return in, p
		}
		root, err := parseJSON(body)
		if err != nil || root == nil || root.kind != jsonObject {
			return in, refuse(http.StatusBadRequest, "", "JSON parse error")
		}
		d := decoder{m: c.manners}
		in = datumIn{element: d.text(root, "dataElement"), period: d.text(root, "period"), orgUnit: d.text(root, "orgUnit"), combo: d.text(root, "categoryOptionCombo"),
			dataSet: d.text(root, "dataSet"),
			value:   d.optional(root, "value"), comment: d.optional(root, "comment"), followUp: d.maybe(root, "followUp")}
		if a := root.get("attribute"); a != nil {
			options := []string{}
			if o := a.get("options"); o != nil {
				for _, it := range o.items {
					options = append(options, it.text)
				}
			}
			in.attributeCombo, in.attributeProblem = c.attributeCombo(d.text(a, "combo"), options)
		}
		if d.err != nil {
			return in, refuse(http.StatusBadRequest, "", "JSON parse error: %s", d.err)
		}
		return in, nil
	}
	given := c.query
	if c.r.Method == http.MethodPost && kind == "application/x-www-form-urlencoded" {
		c.r.Body = http.MaxBytesReader(c.w, c.r.Body, maxBody)
		if err := c.r.ParseForm(); err != nil {
			return in, refuse(http.StatusBadRequest, "", "The form could not be read")
		}
		given = c.r.Form
	}
	get := given.Get
	in = datumIn{element: get("de"), period: get("pe"), orgUnit: get("ou"), combo: get("co"), dataSet: get("ds"),
		followUp: maybeFlag(given, "followUp")}
	if given.Has("value") {
		v := given.Get("value")
		in.value = &v
	}
	if given.Has("comment") {
		v := given.Get("comment")
		in.comment = &v
	}
	in.attributeCombo, in.attributeProblem = c.attributeCombo(get("cc"), strings.FieldsFunc(get("cp"), func(r rune) bool { return r == ';' }))
	return in, nil
}

// maybeFlag reads a flag that may not be there.
func maybeFlag(given url.Values, name string) *bool {
	if !given.Has(name) {
		return nil
	}
	f, _ := springBool(given.Get(name))
	return &f
}

func (in datumIn) key() valueKey {
	k := valueKey{in.element, in.period, in.orgUnit, in.combo, in.attributeCombo}
	if p, ok := parsePeriod(in.period); ok {
		k.period = p.iso
	}
	if k.combo == "" {
		k.combo = defaultOptionCombo
	}
	if k.attributeCombo == "" {
		k.attributeCombo = defaultOptionCombo
	}
	return k
}
