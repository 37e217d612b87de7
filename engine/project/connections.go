package project

import (
	"context"
	"fmt"
	"log/slog"
	"path/filepath"

	"github.com/culvert/culvert/actions"
	"github.com/culvert/culvert/lookups"
	"github.com/culvert/culvert/rules"
	"github.com/culvert/culvert/rules/diag"
	"github.com/culvert/culvert/rules/yamlnode"
	"github.com/culvert/culvert/sources"
	"github.com/culvert/culvert/sources/commcare"
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

// checkConnections reports a trigger that names a connection which culvert.yaml does not have, or one of another kind.
func (c *Config) checkConnections(k sources.Kind, r *rules.Rule) {
	connected, ok := k.(sources.Connected)
	if !ok || r.Trigger.Config == nil {
		return
	}
	for _, at := range connected.Connections(&r.Trigger) {
		if at != nil && at.Kind == yamlnode.Scalar && at.Value != "" {
			c.checkConnection(r, at, connected.Connection().Name, "this trigger")
		}
	}
}

// checkLookups reports the same of lookups that ask other systems.
func (c *Config) checkLookups(r *rules.Rule) {
	for _, l := range r.Lookups {
		if at, kind := lookupConnection(l); at != nil {
			c.checkConnection(r, at, kind, "this lookup")
		}
	}
}

// lookupConnection gives where a lookup names a connection, nil where it has none, and of which kind it has to be.
func lookupConnection(l *rules.Lookup) (at *yamlnode.Node, kind string) {
	if asked, ok := l.Asked().(lookups.Asked); ok {
		return asked.Connection()
	}
	return nil, ""
}

func (c *Config) checkConnection(r *rules.Rule, at *yamlnode.Node, kind, subject string) {
	found := c.ConnectionNamed(at.Value)
	switch {
	case found == nil:
		names := c.connectionsOf(kind)
		hint := fmt.Sprintf("add it to culvert.yaml: connections: {%s: {%s: ...}}", at.Value, kind)
		if len(names) > 0 {
			hint = diag.Suggest(at.Value, names, "connections")
		}
		r.Report(diag.Diagnostic{Problem: diag.Problem{Code: "unknown-connection",
			Message: fmt.Sprintf("connection %q is not in culvert.yaml", at.Value), Hint: hint, Place: at.Place()}})
	case found.Kind != kind:
		r.Report(diag.Diagnostic{Problem: diag.Problem{
			Code: "unknown-connection", Message: fmt.Sprintf("connection %q is of kind %s; %s needs one of kind %s",
				at.Value, found.Kind, subject, kind),
			Hint: c.anotherConnection(kind), Place: at.Place(),
		}})
	}
}

// anotherConnection says what to write where a connection of another kind is named.
func (c *Config) anotherConnection(kind string) string {
	if names := c.connectionsOf(kind); len(names) > 0 {
		return "write connection: " + diag.Names(names, "or")
	}
	return fmt.Sprintf("add one to culvert.yaml: connections: {name: {%s: https://...}}", kind)
}

// Connection gives a named outside system with its secrets resolved; dir is the project's folder.
func (c *Config) Connection(name, dir string) (sources.Connection, error) {
	out := sources.Connection{Name: name, Dir: dir}
	found := c.ConnectionNamed(name)
	if found == nil {
		return out, fmt.Errorf("it is not in %s", ConfigFile)
	}
	out.Kind, out.Domain, out.Header = found.Kind, found.Domain, found.Header
	out.Own = map[string]string{}
	for key, text := range found.Own {
		value, err := text.Resolve()
		if err != nil {
			return out, err
		}
		out.Own[key] = value
	}
	return out, resolve(map[*string]Text{&out.URL: found.URL, &out.Username: found.Username,
		&out.Password: found.Password, &out.APIKey: found.APIKey, &out.Bearer: found.Bearer})
}

// ActionConnection gives a connection for actions that write to it, with its secrets resolved.
func (c *Config) ActionConnection(name string) (actions.Connection, error) {
	out := actions.Connection{Name: name}
	found := c.ConnectionNamed(name)
	if found == nil {
		return out, fmt.Errorf("connection %s is not in %s", name, ConfigFile)
	}
	out.Kind, out.Domain, out.Header = found.Kind, found.Domain, found.Header
	return out, resolve(map[*string]Text{&out.URL: found.URL, &out.Username: found.Username,
		&out.Password: found.Password, &out.APIKey: found.APIKey, &out.Token: found.Bearer})
}

// resolve sets texts to what the project gives them.
func resolve(texts map[*string]Text) error {
	for to, from := range texts {
		if !from.IsSet() {
			continue
		}
		v, err := from.Resolve()
		if err != nil {
			return err
		}
		*to = v
	}
	return nil
}

// SyncLocations writes the locations of a CommCare project space to the reference table that its
// connection names. It tells how many there are, and whether the table changed.
func SyncLocations(ctx context.Context, c *Config, connection *Connection, dir string, log *slog.Logger) (n int,
	changed bool, err error) {
	hq, err := c.Connection(connection.Name, dir)
	if err != nil {
		return 0, false, fmt.Errorf("connection %s: %w", connection.Name, err)
	}
	return commcare.SyncLocations(ctx, hq, filepath.Join(dir, filepath.FromSlash(connection.Locations)), log)
}
