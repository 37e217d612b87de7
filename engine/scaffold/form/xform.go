package form

import (
	"encoding/xml"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// node is an element of XML with what is in it.
type node struct {
	XMLName xml.Name
	Attrs   []xml.Attr `xml:",any,attr"`
	Text    string     `xml:",chardata"`
	Nodes   []node     `xml:",any"`
}

func (n *node) attr(name string) string {
	for _, a := range n.Attrs {
		if a.Name.Local == name {
			return a.Value
		}
	}
	return ""
}

// each visits the elements of a name, at any depth.
func (n *node) each(name string, visit func(*node)) {
	for i := range n.Nodes {
		if n.Nodes[i].XMLName.Local == name {
			visit(&n.Nodes[i])
		}
		n.Nodes[i].each(name, visit)
	}
}

func (n *node) child(name string) *node {
	for i := range n.Nodes {
		if n.Nodes[i].XMLName.Local == name {
			return &n.Nodes[i]
		}
	}
	return nil
}

// xformTypes are the data types of binds, by the ODK XForms specification.
var xformTypes = map[string]Type{
	"string": Text, "": Text, "int": Integer, "integer": Integer, "decimal": Decimal, "date": Date, "dateTime": DateTime,
	"time": Time, "geopoint": Point, "barcode": Text, "binary": File, "select1": One, "select": Several, "boolean": Text,
	"geotrace": Text, "geoshape": Text, "intent": Text,
}

type xform struct {
	form      *Form
	texts     map[string][]string // of itext, by id, in each language
	instances map[string]*node
	controls  map[string]*node
	repeats   map[string]bool
	root      string
}

func readXForm(data []byte) (*Form, error) {
	if err := tooDeep(data); err != nil {
		return nil, err
	}
	var doc node
	if err := xml.Unmarshal(data, &doc); err != nil {
		return nil, fmt.Errorf("read its XML: %w", err)
	}
	x := xform{form: &Form{}, texts: map[string][]string{}, instances: map[string]*node{},
		controls: map[string]*node{}, repeats: map[string]bool{}}
	doc.each("title", func(n *node) {
		if x.form.Name == "" {
			x.form.Name = strings.TrimSpace(n.Text)
		}
	})
	doc.each("translation", func(tr *node) {
		for i := range tr.Nodes {
			t := &tr.Nodes[i]
			for j := range t.Nodes {
				if v := &t.Nodes[j]; v.attr("form") == "" {
					x.texts[t.attr("id")] = addLabel(x.texts[t.attr("id")], v.Text)
				}
			}
		}
	})
	var primary *node
	doc.each("instance", func(n *node) {
		switch {
		case primary == nil && len(n.Nodes) > 0:
			primary = &n.Nodes[0]
		default:
			x.instances[n.attr("id")] = n
		}
	})
	if primary == nil {
		return nil, errors.New("it has no instance: is it an XForm? A submission belongs to --sample")
	}
	x.root = primary.XMLName.Local
	x.form.ID, x.form.Version = primary.attr("id"), primary.attr("version")
	x.readBody(&doc)
	x.readBinds(&doc)
	return x.form, nil
}

// tooDeep refuses what nests further than any form does.
func tooDeep(data []byte) error {
	d := xml.NewDecoder(strings.NewReader(string(data)))
	for depth := 0; ; {
		t, err := d.Token()
		if err != nil {
			return nil //nolint:nilerr // whoever reads it says what is wrong
		}
		switch t.(type) {
		case xml.StartElement:
			if depth++; depth > 10*maxDepth {
				return errors.New("its elements stand too deep in each other")
			}
		case xml.EndElement:
			depth--
		}
	}
}

func (x *xform) readBody(doc *node) {
	for _, name := range []string{"input", "select1", "select", "upload", "range", "odk:rank", "secret"} {
		doc.each(name, func(n *node) {
			ref := n.attr("ref")
			if ref == "" {
				ref = n.attr("nodeset")
			}
			x.controls[ref] = n
		})
	}
	doc.each("repeat", func(n *node) { x.repeats[n.attr("nodeset")] = true })
}

func (x *xform) readBinds(doc *node) {
	doc.each("bind", func(b *node) {
		ref := b.attr("nodeset")
		parts := strings.Split(strings.Trim(ref, "/"), "/")
		if len(parts) < 2 || parts[0] != x.root || len(parts) > maxDepth || slices.Contains(parts, "meta") ||
			len(x.form.Questions) > maxQuestions {
			return
		}
		q := Question{Path: parts[1:]}
		t, known := xformTypes[strings.TrimPrefix(b.attr("type"), "xsd:")]
		if !known {
			x.form.Notes = append(x.form.Notes, fmt.Sprintf("%s is of the type %s, which is not understood: it is left out",
				ref, b.attr("type")))
			return
		}
		q.Type = t
		for n := 2; n < len(parts); n++ {
			if x.repeats["/"+strings.Join(parts[:n], "/")] {
				q.Repeats = append(q.Repeats, n-1)
			}
		}
		control := x.controls[ref]
		switch {
		case control == nil && b.attr("calculate") != "":
			q.Type = Calculated
		case control == nil && b.attr("type") == "":
			return // a group
		case control == nil:
			q.Type = Hidden
		default:
			q.Labels = x.labels(control.child("label"))
			if name := control.XMLName.Local; name == "select1" || name == "select" {
				q.Type = map[string]Type{"select1": One, "select": Several}[name]
				if q.Choices = x.choices(control); len(q.Choices) == 0 {
					q.Type = Text // from a file that is not here
				}
			}
		}
		x.form.Questions = append(x.form.Questions, q)
	})
}

var (
	itext    = regexp.MustCompile(`^jr:itext\(['"](.+)['"]\)$`)
	instance = regexp.MustCompile(`^instance\(['"]([^'"]+)['"]\)`)
)

func (x *xform) labels(n *node) []string {
	if n == nil {
		return nil
	}
	if m := itext.FindStringSubmatch(strings.TrimSpace(n.attr("ref"))); m != nil {
		return x.texts[m[1]]
	}
	return addLabel(nil, n.Text)
}

func (x *xform) choices(control *node) (list []Choice) {
	control.each("item", func(item *node) {
		if v := item.child("value"); v != nil && len(list) < maxChoices {
			list = append(list, Choice{Name: strings.TrimSpace(v.Text), Labels: x.labels(item.child("label"))})
		}
	})
	set := control.child("itemset")
	if set == nil {
		return list
	}
	m := instance.FindStringSubmatch(set.attr("nodeset"))
	if m == nil || x.instances[m[1]] == nil {
		return list
	}
	value, label := "name", "label"
	if v := set.child("value"); v != nil && v.attr("ref") != "" {
		value = v.attr("ref")
	}
	x.instances[m[1]].each("item", func(item *node) {
		v := item.child(value)
		if v == nil || len(list) >= maxChoices {
			return
		}
		c := Choice{Name: strings.TrimSpace(v.Text)}
		if id := item.child("itextId"); id != nil {
			c.Labels = x.texts[strings.TrimSpace(id.Text)]
		} else if l := item.child(label); l != nil {
			c.Labels = addLabel(nil, l.Text)
		}
		list = append(list, c)
	})
	return list
}
