package compile

import (
	"github.com/culvert/culvert/actions/dhis2/metadata"
	"github.com/culvert/culvert/actions/dhis2/value"
	"github.com/culvert/culvert/rules"
)

// accessKey lets Culvert's user into people's data of a protected program for some hours, with a reason.
const accessKey = "temporary_access"

// access compiles the reason with which the rule may write into a protected program; nil: it may not.
func (c *compiler) access(p *metadata.Program) *valued {
	n := c.node(accessKey)
	if n == nil {
		return nil
	}
	place := c.spec.Body.Key(accessKey).Place()
	switch level := p.AccessLevel; {
	case level == "CLOSED":
		c.errorAt(place, "not-protected", "give Culvert's user the org units that own these people, or "+
			"have them transfer her",
			"nobody is let into the closed program %q, not for a while and for no reason", p.Name)
	case level != "" && level != "PROTECTED":
		c.warnAt(place, "not-protected", "leave it out",
			"the program %q is not protected: whoever may search for people may write, without a reason", p.Name)
	}
	v := c.valued(n, "", accessKey, value.Kind{Type: "LONG_TEXT"})
	if v != nil {
		v.LeaveInvalid = false
	}
	return v
}

// reason gives the reason of one record; empty: nobody is let in.
func (v *valued) reason(s *rules.Scope, c *value.Context) (string, error) {
	if v == nil {
		return "", nil
	}
	text, _, err := v.eval(s, c)
	return text, err
}
