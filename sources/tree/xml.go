package tree

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"

	"github.com/culvert/culvert/rules/diag"
	"github.com/culvert/culvert/sources/charset"
)

// Namespaces of CommCare's XML.
const (
	caseNamespace = "http://commcarehq.org/case/transaction/v2"
	caseOld       = "http://commcarehq.org/case/transaction/v1"
)

// XML decodes an XML document. A CommCare case becomes the tree of its JSON form, and so does a
// form of CommCare or another OpenRosa tool (what has meta/instanceID); any other document becomes
// an object with the root element's name as its only key.
//
// Elements become objects: children by their names without prefix, several of one name as a list,
// attributes as "@name", the namespace as "@xmlns" where it changes; an element with nothing but
// text is that text, with attributes its text is "#text". Every value is text.
func XML(text []byte, limits Limits) (map[string]any, error) {
	text, err := plainXML(text)
	if err != nil {
		return nil, notText("XML", err)
	}
	if err := limits.allow(weighXML(text)); err != nil {
		return nil, err
	}
	root, err := parseXML(text, limits)
	if err != nil {
		return nil, err
	}
	switch {
	case root.name == "case" && (root.space == caseNamespace || root.space == caseOld):
		return caseTree(root), nil
	case root.find("meta", "instanceID") != nil:
		return formTree(root), nil
	}
	return map[string]any{root.name: root.tree("")}, nil
}

// declaration is the encoding that the first line of an XML document names.
var declaration = regexp.MustCompile(`^\s*<\?xml[^>]*?\sencoding\s*=\s*["']([A-Za-z0-9._-]{1,40})["']`)

// plainXML gives a document as UTF-8. What is UTF-8 is taken as it is: servers that convert a
// document often leave its declaration.
func plainXML(text []byte) ([]byte, error) {
	switch {
	case bytes.HasPrefix(text, []byte("<\x00")):
		return charset.UTF8(text, "utf-16le")
	case bytes.HasPrefix(text, []byte("\x00<")):
		return charset.UTF8(text, "utf-16be")
	}
	plain, err := charset.UTF8(text, "")
	if err == nil {
		return plain, nil
	}
	if m := declaration.FindSubmatch(text[:min(len(text), 512)]); m != nil {
		return charset.UTF8(text, string(m[1]))
	}
	return nil, err
}

// Bytes that a tag and an attribute take while a document is read and in the tree that it becomes, as measured.
const (
	tagBytes       = 160
	attributeBytes = 160
)

// weighXML says about how many bytes a document takes when it is decoded.
func weighXML(text []byte) int64 {
	return int64(len(text)) + tagBytes*int64(bytes.Count(text, []byte("<"))) +
		attributeBytes*int64(bytes.Count(text, []byte("=")))
}

type element struct {
	name, space string
	attrs       []xml.Attr
	children    []*element
	text        strings.Builder
}

// attributeTwice gives the name of an attribute that an element has twice, which no XML has (section
// 3.1 of the specification) and the decoder lets pass.
func attributeTwice(attrs []xml.Attr) string {
	if len(attrs) < 2 {
		return ""
	}
	seen := make(map[xml.Name]bool, len(attrs))
	for _, a := range attrs {
		if seen[a.Name] {
			return a.Name.Local
		}
		seen[a.Name] = true
	}
	return ""
}

func parseXML(text []byte, limits Limits) (*element, error) {
	d := xml.NewDecoder(bytes.NewReader(text))
	// The text is UTF-8 by now, whatever its declaration says.
	d.CharsetReader = func(_ string, in io.Reader) (io.Reader, error) { return in, nil }
	var root *element
	var stack []*element
	for {
		token, err := d.Token()
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, xmlError(text, d, err)
		}
		switch t := token.(type) {
		case xml.Directive:
			return nil, &diag.Problem{Place: atLine(lineAt(text, d.InputOffset())),
				Message: "the XML has a document type declaration",
				Hint:    "send it without one"}
		case xml.StartElement:
			if limits.Depth > 0 && len(stack) >= limits.Depth {
				return nil, &diag.Problem{Place: atLine(lineAt(text, d.InputOffset())),
					Message: fmt.Sprintf("elements are nested deeper than %d", limits.Depth), Hint: "send flatter data"}
			}
			if name := attributeTwice(t.Attr); name != "" {
				return nil, &diag.Problem{Place: atLine(lineAt(text, d.InputOffset())),
					Message: fmt.Sprintf("the attribute %s is given twice in %s", step(false, name), step(false, t.Name.Local)),
					Hint:    "have the sender give every attribute once: it cannot be told which of the two values is meant"}
			}
			e := &element{name: t.Name.Local, space: t.Name.Space, attrs: t.Attr}
			if len(stack) > 0 {
				parent := stack[len(stack)-1]
				parent.children = append(parent.children, e)
			} else if root == nil {
				root = e
			} else {
				return nil, &diag.Problem{Place: atLine(lineAt(text, d.InputOffset())),
					Message: "a second document follows",
					Hint:    "send one document"}
			}
			stack = append(stack, e)
		case xml.EndElement:
			stack = stack[:len(stack)-1]
		case xml.CharData:
			if len(stack) > 0 {
				stack[len(stack)-1].text.Write(t)
			} else if len(bytes.TrimSpace(t)) > 0 {
				return nil, &diag.Problem{Place: atLine(lineAt(text, d.InputOffset())),
					Message: "there is text outside of the XML document",
					Hint:    "send the document alone"}
			}
		}
	}
	if root == nil {
		return nil, &diag.Problem{Message: "the body holds no XML element", Hint: "send a form or a case"}
	}
	return root, nil
}

func xmlError(text []byte, d *xml.Decoder, err error) error {
	var own *diag.Problem
	if errors.As(err, &own) {
		return own
	}
	var syntax *xml.SyntaxError
	if errors.As(err, &syntax) {
		if strings.Contains(syntax.Msg, "unexpected EOF") {
			return &diag.Problem{Place: atLine(syntax.Line), Message: "the XML ends too early",
				Hint: "check that all of it was sent"}
		}
		return &diag.Problem{Place: atLine(syntax.Line), Message: "this is not XML",
			Hint: "check tags, quotes and ampersands there"}
	}
	return &diag.Problem{Place: atLine(lineAt(text, d.InputOffset())), Message: "this is not XML that can be read",
		Hint: "send UTF-8 text in well-formed XML"}
}

func (e *element) child(name string) *element {
	for _, c := range e.children {
		if c.name == name {
			return c
		}
	}
	return nil
}

// find goes down from child to child; nil when one is missing.
func (e *element) find(path ...string) *element {
	for _, name := range path {
		if e = e.child(name); e == nil {
			return nil
		}
	}
	return e
}

func (e *element) attr(name string) string {
	for _, a := range e.attrs {
		if a.Name.Local == name && a.Name.Space != "xmlns" {
			return a.Value
		}
	}
	return ""
}

func (e *element) content() string { return strings.TrimSpace(e.text.String()) }

// tree gives an element's value; outer is the namespace around it.
func (e *element) tree(outer string) any {
	object := map[string]any{}
	if e.space != "" && e.space != outer {
		object["@xmlns"] = e.space
	}
	for _, a := range e.attrs {
		if a.Name.Space == "xmlns" || a.Name.Local == "xmlns" {
			continue
		}
		object["@"+a.Name.Local] = a.Value
	}
	for _, c := range e.children {
		v := c.tree(e.space)
		switch before := object[c.name].(type) {
		case nil:
			object[c.name] = v
		case []any:
			object[c.name] = append(before, v)
		default:
			object[c.name] = []any{before, v}
		}
	}
	if len(object) == 0 {
		return e.content()
	}
	if text := e.content(); text != "" {
		object["#text"] = text
	}
	return object
}

// formTree gives a form as CommCare's form JSON has it: the form itself, its id, and its metadata.
func formTree(root *element) map[string]any {
	form, ok := root.tree("").(map[string]any)
	if !ok {
		form = map[string]any{}
	}
	form["#type"] = root.name
	metadata := map[string]any{}
	meta := root.child("meta")
	for _, c := range meta.children {
		metadata[c.name] = c.content()
	}
	return map[string]any{"id": meta.child("instanceID").content(), "form": form, "metadata": metadata}
}

// caseTree gives a case as CommCare's case JSON has it.
func caseTree(root *element) map[string]any {
	properties, indices := map[string]any{}, map[string]any{}
	for _, block := range []string{"create", "update"} {
		if b := root.child(block); b != nil {
			for _, c := range b.children {
				properties[c.name] = c.content()
			}
		}
	}
	if index := root.child("index"); index != nil {
		for _, c := range index.children {
			relationship := c.attr("relationship")
			if relationship == "" {
				relationship = "child"
			}
			indices[c.name] = map[string]any{"case_id": c.content(), "case_type": c.attr("case_type"),
				"relationship": relationship}
		}
	}
	return map[string]any{
		"case_id": root.attr("case_id"), "user_id": root.attr("user_id"), "date_modified": root.attr("date_modified"),
		"closed": root.child("close") != nil, "properties": properties, "indices": indices,
	}
}
