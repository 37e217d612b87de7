package catalog

import (
	"bytes"
	"encoding/json"
	"slices"
)

// With gives a catalog in which some objects are new, otherwise than before, or gone.
func (c *Catalog) With(changes []*Change) *Catalog {
	n := &Catalog{Kinds: append([]string{}, c.Kinds...), Objects: make(map[string][]object, len(c.Objects)),
		ByID: make(map[string]Entry, len(c.ByID)+len(changes)), Loaded: c.Loaded}
	for kind, objs := range c.Objects {
		n.Objects[kind] = objs
	}
	for uid, e := range c.ByID {
		n.ByID[uid] = e
	}
	for _, ch := range changes {
		n.change(ch)
	}
	n.harvest()
	n.index()
	for name, u := range n.Users { // passwords are not among what is shown
		if old := c.Users[name]; old != nil && u.Password == "" {
			u.Password = old.Password
		}
	}
	return n
}

func (c *Catalog) change(ch *Change) {
	kept := make([]object, 0, len(c.Objects[ch.Kind])+1)
	replaced := false
	for _, o := range c.Objects[ch.Kind] {
		switch {
		case Str(o, "id") != ch.UID:
			kept = append(kept, o)
		case ch.Object != nil:
			kept, replaced = append(kept, ch.Object), true
		}
	}
	delete(c.ByID, ch.UID)
	if ch.Object != nil {
		if !replaced {
			kept = append(kept, ch.Object)
		}
		c.ByID[ch.UID] = Entry{ch.Kind, ch.Object}
	}
	c.Objects[ch.Kind] = kept
	if !slices.Contains(c.Kinds, ch.Kind) {
		c.Kinds = append(c.Kinds, ch.Kind)
	}
}

// Change is one object of the metadata that was written after the sandbox started; without Object it was deleted.
type Change struct {
	Kind   string `json:"kind"`
	UID    string `json:"uid"`
	Object object `json:"object,omitempty"`
}

// UnmarshalJSON keeps numbers as they are written, as the metadata does everywhere.
func (ch *Change) UnmarshalJSON(data []byte) error {
	type plainChange Change
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	return d.Decode((*plainChange)(ch))
}
