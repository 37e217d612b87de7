package sandbox

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// decoder reads a body as DHIS2's parser does, stopping at the first thing that cannot be what it should.
type decoder struct {
	m        manners
	err      error
	nullList string // the first list that is null
}

func (d *decoder) fail(format string, args ...any) {
	if d.err == nil {
		d.err = fmt.Errorf(format, args...)
	}
}

// text reads a scalar as text: numbers and booleans become text.
func (d *decoder) text(n *node, name string) string {
	if p := d.optional(n, name); p != nil {
		return *p
	}
	return ""
}

func (d *decoder) optional(n *node, name string) *string {
	v := n.get(name)
	if v == nil {
		return nil
	}
	s := v.text
	switch v.kind {
	case jsonBool:
		s = strconv.FormatBool(v.bool)
	case jsonArray, jsonObject:
		d.fail("Cannot deserialize value of type `java.lang.String` from %s (field %q)", v.kind, name)
	}
	return &s
}

func (d *decoder) uid(n *node, name string) string {
	p := d.optional(n, name)
	if p == nil {
		return ""
	}
	if d.m.typedUIDs() && !validUID(*p) {
		d.fail("Cannot construct instance of `org.hisp.dhis.common.UID`, problem: UID must be an alphanumeric string of 11 characters starting with a letter, but was: %s", *p)
	}
	return *p
}

func (d *decoder) flag(n *node, name string) bool {
	v := n.get(name)
	if v == nil {
		return false
	}
	switch {
	case v.kind == jsonBool:
		return v.bool
	case v.kind == jsonNumber && !strings.ContainsAny(v.text, ".eE"):
		return v.text != "0"
	case v.kind == jsonString:
		switch strings.TrimSpace(v.text) {
		case "", "false", "False", "FALSE":
			return false
		case "true", "True", "TRUE":
			return true
		}
	}
	d.fail("Cannot deserialize value of type `boolean` from %s: only \"true\"/\"false\" recognized (field %q)", v.kind, name)
	return false
}

func (d *decoder) date(n *node, name string) *time.Time {
	s := d.text(n, name)
	if s == "" {
		return nil
	}
	t, ok := parseDate(s)
	if !ok {
		d.fail("Invalid date format '%s', only 'yyyy-MM-dd'T'HH:mm:ss.SSS' format is supported (field %q)", s, name)
		return nil
	}
	return &t
}

func (d *decoder) enum(n *node, name string, values ...string) string {
	p := d.optional(n, name)
	if p == nil {
		return ""
	}
	if !slices.Contains(values, *p) {
		d.fail("Cannot deserialize value of type %s from String %q: not one of the values accepted for Enum class: %v", name, *p, values)
	}
	return *p
}

// list reads an array of objects.
func (d *decoder) list(n *node, name string) []*node {
	v := n.get(name)
	if v == nil {
		if d.nullList == "" && n.has(name) {
			d.nullList = name
		}
		return nil
	}
	if v.kind != jsonArray {
		d.fail("Cannot deserialize value of type `java.util.ArrayList` from %s (field %q)", v.kind, name)
		return nil
	}
	for i, it := range v.items {
		if it.kind != jsonObject {
			d.fail("Cannot deserialize item %d of %q from %s", i, name, it.kind)
			return nil
		}
	}
	return v.items
}

// maybe reads a flag that may not be there.
func (d *decoder) maybe(n *node, name string) *bool {
	if n.get(name) == nil {
		return nil
	}
	f := d.flag(n, name)
	return &f
}

// emptyIsNil: an empty value clears like null does.
func emptyIsNil(p *string) *string {
	if p != nil && *p == "" {
		return nil
	}
	return p
}
