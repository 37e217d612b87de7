package rest

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/culvert/culvert/actions/dhis2/sandbox/dates"
	"github.com/culvert/culvert/actions/dhis2/sandbox/ids"
	"github.com/culvert/culvert/actions/dhis2/sandbox/jsontree"
	"github.com/culvert/culvert/actions/dhis2/sandbox/version"
)

// Decoder reads a body as DHIS2's parser does, stopping at the first thing that cannot be what it should.
type Decoder struct {
	Version  version.Profile
	Err      error
	NullList string // the first list that is null
	Crashes  bool   // the server fails inside itself at what is not there, instead of refusing the body
	Crash    string // at what it does, having read the body to its end
}

func (d *Decoder) Fail(format string, args ...any) {
	if d.Err == nil {
		d.Err = fmt.Errorf(format, args...)
	}
}

// Fails keeps the first thing at which a real server fails inside itself.
func (d *Decoder) Fails(message string) {
	if d.Crash == "" {
		d.Crash = message
	}
}

// Text reads a scalar as text: numbers and booleans become text.
func (d *Decoder) Text(n *jsontree.Node, name string) string {
	if p := d.Optional(n, name); p != nil {
		return *p
	}
	return ""
}

func (d *Decoder) Optional(n *jsontree.Node, name string) *string {
	v := n.Get(name)
	if v == nil {
		return nil
	}
	s := v.Text
	switch v.Kind {
	case jsontree.Bool:
		s = strconv.FormatBool(v.Bool)
	case jsontree.Array, jsontree.Object:
		d.Fail("Cannot deserialize value of type `java.lang.String` from %s (field %q)", v.Kind, name)
	}
	return &s
}

func (d *Decoder) UID(n *jsontree.Node, name string) string {
	p := d.Optional(n, name)
	if p == nil {
		return ""
	}
	if d.Version.TypedUIDs() && !ids.Valid(*p) {
		d.Fail("Cannot construct instance of `org.hisp.dhis.common.UID`, problem: UID must be an alphanumeric string of "+
			"11 characters starting with a letter, but was: %s", *p)
	}
	return *p
}

func (d *Decoder) Flag(n *jsontree.Node, name string) bool {
	v := n.Get(name)
	if v == nil {
		return false
	}
	switch {
	case v.Kind == jsontree.Bool:
		return v.Bool
	case v.Kind == jsontree.Number && !strings.ContainsAny(v.Text, ".eE"):
		return v.Text != "0"
	case v.Kind == jsontree.String:
		switch strings.TrimSpace(v.Text) {
		case "", "false", "False", "FALSE":
			return false
		case "true", "True", "TRUE":
			return true
		}
	}
	d.Fail("Cannot deserialize value of type `boolean` from %s: only \"true\"/\"false\" recognized (field %q)", v.Kind,
		name)
	return false
}

// Date reads a day or time; nil when there is none.
func (d *Decoder) Date(n *jsontree.Node, name string) *time.Time {
	s := d.Text(n, name)
	if strings.TrimSpace(s) == "" {
		return nil
	}
	t, ok := dates.ParseLoose(s)
	if !ok {
		t, ok = dates.ParseEpoch(s)
	}
	if !ok && dates.BeyondStorage(s) {
		d.Fails("ERROR: date/time field value out of range: " + strconv.Quote(s))
		return nil
	}
	if !ok {
		d.Fail("Invalid date format '%s', only 'yyyy-MM-dd'T'HH:mm:ss.SSS' format end epoch milliseconds are supported. "+
			"(field %q)", s, name)
		return nil
	}
	return &t
}

// Enum reads one of some values, by its name or by its number among them.
func (d *Decoder) Enum(n *jsontree.Node, name string, values ...string) string {
	p := d.Optional(n, name)
	if p == nil {
		return ""
	}
	if i, err := strconv.Atoi(*p); err == nil && i >= 0 && i < len(values) {
		return values[i]
	}
	if !slices.Contains(values, *p) {
		d.Fail("Cannot deserialize value of type %s from String %q: not one of the values accepted for Enum class: %v", name,
			*p, values)
	}
	return *p
}

// List reads an array of objects.
func (d *Decoder) List(n *jsontree.Node, name string) []*jsontree.Node {
	v := n.Get(name)
	if v == nil {
		if d.NullList == "" && n.Has(name) {
			d.NullList = name
		}
		return nil
	}
	if v.Kind != jsontree.Array {
		d.Fail("Cannot deserialize value of type `java.util.ArrayList` from %s (field %q)", v.Kind, name)
		return nil
	}
	for i, it := range v.Items {
		if it.Kind == jsontree.Null && d.Crashes {
			d.Fails("Cannot invoke a method of an item of " + name + " because it is null")
			return nil
		}
		if it.Kind != jsontree.Object {
			d.Fail("Cannot deserialize item %d of %q from %s", i, name, it.Kind)
			return nil
		}
	}
	return v.Items
}

// Maybe reads a flag that may not be there.
func (d *Decoder) Maybe(n *jsontree.Node, name string) *bool {
	if n.Get(name) == nil {
		return nil
	}
	f := d.Flag(n, name)
	return &f
}

// EmptyIsNil: an empty value clears like null does.
func EmptyIsNil(p *string) *string {
	if p != nil && *p == "" {
		return nil
	}
	return p
}
