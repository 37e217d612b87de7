package sandbox

import (
	"bytes"
	"encoding/json"
	"slices"
)

// with gives a catalog in which some objects are new, otherwise than before, or gone.
func (c *catalog) with(changes []*metadataChange) *catalog {
	n := &catalog{kinds: append([]string{}, c.kinds...), objects: make(map[string][]object, len(c.objects)), byID: make(map[string]entry, len(c.byID)+len(changes)), loaded: c.loaded}
	for kind, objs := range c.objects {
		n.objects[kind] = objs
	}
	for uid, e := range c.byID {
		n.byID[uid] = e
	}
	for _, ch := range changes {
		n.change(ch)
	}
	n.harvest()
	n.index()
	for name, u := range n.users { // passwords are not among what is shown
		if old := c.users[name]; old != nil && u.password == "" {
			u.password = old.password
		}
	}
	return n
}

func (c *catalog) change(ch *metadataChange) {
	kept := make([]object, 0, len(c.objects[ch.Kind])+1)
	replaced := false
	for _, o := range c.objects[ch.Kind] {
		switch {
		case str(o, "id") != ch.UID:
			kept = append(kept, o)
		case ch.Object != nil:
			kept, replaced = append(kept, ch.Object), true
		}
	}
	delete(c.byID, ch.UID)
	if ch.Object != nil {
		if !replaced {
			kept = append(kept, ch.Object)
		}
		c.byID[ch.UID] = entry{ch.Kind, ch.Object}
	}
	c.objects[ch.Kind] = kept
	if !slices.Contains(c.kinds, ch.Kind) {
		c.kinds = append(c.kinds, ch.Kind)
	}
}

// metadataChange is one object of the metadata that was written after the sandbox started; without Object it was deleted.
type metadataChange struct {
	Kind   string `json:"kind"`
	UID    string `json:"uid"`
	Object object `json:"object,omitempty"`
}

// UnmarshalJSON keeps numbers as they are written, as the metadata does everywhere.
func (ch *metadataChange) UnmarshalJSON(data []byte) error {
	type plainChange metadataChange
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	return d.Decode((*plainChange)(ch))
}
