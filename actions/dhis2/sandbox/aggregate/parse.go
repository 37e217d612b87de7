package aggregate

import (
	"mime"
	"net/http"
	"net/url"
	"strings"

	"github.com/culvert/culvert/actions/dhis2/sandbox/catalog"
	"github.com/culvert/culvert/actions/dhis2/sandbox/jsontree"
	"github.com/culvert/culvert/actions/dhis2/sandbox/period"
	"github.com/culvert/culvert/actions/dhis2/sandbox/rest"
	"github.com/culvert/culvert/actions/dhis2/sandbox/store"
)

// oneValue reads a value from the query, a form or a JSON body.
func (c *call) oneValue() (datumIn, *rest.Problem) {
	var in datumIn
	kind, _, _ := mime.ParseMediaType(c.R.Header.Get("Content-Type"))
	if c.R.Method == http.MethodPost && kind == "application/json" && c.Query.Get("de") == "" {
		body, p := c.ReadBody()
		if p != nil {
			return in, p
		}
		root, err := jsontree.Parse(body)
		if err != nil || root == nil || root.Kind != jsontree.Object {
			return in, rest.Refuse(http.StatusBadRequest, "", "JSON parse error")
		}
		d := rest.Decoder{Version: c.Version}
		in = datumIn{element: d.Text(root, "dataElement"), period: d.Text(root, "period"), orgUnit: d.Text(root, "orgUnit"),
			combo:   d.Text(root, "categoryOptionCombo"),
			dataSet: d.Text(root, "dataSet"),
			value:   d.Optional(root, "value"), comment: d.Optional(root, "comment"), followUp: d.Maybe(root, "followUp")}
		if a := root.Get("attribute"); a != nil {
			options := []string{}
			if o := a.Get("options"); o != nil {
				for _, it := range o.Items {
					options = append(options, it.Text)
				}
			}
			in.attributeCombo, in.attributeProblem = c.AttributeCombo(d.Text(a, "combo"), options)
		}
		if d.Err != nil {
			return in, rest.Refuse(http.StatusBadRequest, "", "JSON parse error: %s", d.Err)
		}
		return in, nil
	}
	given := c.Query
	if c.R.Method == http.MethodPost && kind == "application/x-www-form-urlencoded" {
		c.R.Body = http.MaxBytesReader(c.W, c.R.Body, jsontree.MaxBody)
		if err := c.R.ParseForm(); err != nil {
			return in, rest.Refuse(http.StatusBadRequest, "", "The form could not be read")
		}
		given = c.R.Form
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
	in.attributeCombo, in.attributeProblem = c.AttributeCombo(get("cc"),
		strings.FieldsFunc(get("cp"), func(r rune) bool { return r == ';' }))
	return in, nil
}

// maybeFlag reads a flag that may not be there.
func maybeFlag(given url.Values, name string) *bool {
	if !given.Has(name) {
		return nil
	}
	f, _ := rest.ParseFlag(given.Get(name))
	return &f
}

func (in datumIn) key() store.ValueKey {
	k := store.ValueKey{Element: in.element, Period: in.period, OrgUnit: in.orgUnit, Combo: in.combo,
		AttributeCombo: in.attributeCombo}
	if p, ok := period.Parse(in.period); ok {
		k.Period = p.ISO
	}
	if k.Combo == "" {
		k.Combo = catalog.DefaultOptionCombo
	}
	if k.AttributeCombo == "" {
		k.AttributeCombo = catalog.DefaultOptionCombo
	}
	return k
}
