package project

import (
	"fmt"

	"github.com/culvert/culvert/rules"
	"github.com/culvert/culvert/rules/diag"
	"github.com/culvert/culvert/rules/yamlnode"
	"github.com/culvert/culvert/sources"
)

// ConnectionNamed gives a connection by its name, nil when there is none.
func (c *Config) ConnectionNamed(name string) *Connection {
	for i := range c.Connections {
		if c.Connections[i].Name == name {
			return &c.Connections[i]
		}
	}
	return nil
}

// checkConnection reports a trigger that names a connection which culvert.yaml does not have, or one of another kind.
func (c *Config) checkConnection(k sources.Kind, r *rules.Rule) {
	connected, ok := k.(sources.Connected)
	if !ok || r.Trigger.Config == nil {
		return
	}
	at, kind := connected.Connection(&r.Trigger)
	if at == nil || at.Kind != yamlnode.Scalar || at.Value == "" {
		return
	}
	found := c.ConnectionNamed(at.Value)
	switch {
	case found == nil:
		var names []string
		for _, o := range c.Connections {
			if o.Kind == kind {
				names = append(names, o.Name)
			}
		}
		hint := fmt.Sprintf("add it to culvert.yaml: connections: {%s: {%s: ...}}", at.Value, kind)
		if len(names) > 0 {
			hint = diag.Suggest(at.Value, names, "connections")
		}
		r.Report(diag.Diagnostic{Code: "unknown-connection", Message: fmt.Sprintf("connection %q is not in culvert.yaml", at.Value), Hint: hint, Place: at.Place()})
	case found.Kind != kind:
		r.Report(diag.Diagnostic{
			Code: "unknown-connection", Message: fmt.Sprintf("connection %q is of kind %s; this trigger needs one of kind %s", at.Value, found.Kind, kind),
			Hint: "name another connection", Place: at.Place(),
		})
	}
}
