package service

import (
	"bytes"
	"net/url"
	"reflect"
	"slices"

	"github.com/culvert/culvert/actions"
	"github.com/culvert/culvert/engine/dispatch"
	"github.com/culvert/culvert/engine/project"
	"github.com/culvert/culvert/rules/diag"
)

// placeLimits are how an outside system is worked: each record is a request or a part of one, and
// such systems are smaller than DHIS2.
var placeLimits = dispatch.Limits{MinBatch: 1, MaxBatch: 100, MaxConcurrency: 2}

// place makes what delivers to a connection that rules write to. One that cannot be used waits until
// it can.
func (s *Service) place(c *project.Config, name string) dispatch.Server {
	found := c.ConnectionNamed(name)
	target, err := placeTarget(c, name, actions.TargetOptions{Memory: s.journal.Memory(name), Version: s.o.Version,
		Log: s.o.Log.With("connection", name)})
	if err != nil {
		s.o.Log.Error("a connection cannot be used; what rules write to it waits", "connection", name, "error", err)
		return dispatch.Server{Description: found.URL.String(), Unusable: err.Error()}
	}
	return dispatch.Server{Target: target, Batch: placeLimits, Description: hostOf(c, name)}
}

// hostOf says where a connection leads, without the path, which may let in whoever has it.
func hostOf(c *project.Config, name string) string {
	conn, err := c.ActionConnection(name)
	if err != nil {
		return ""
	}
	u, err := url.Parse(conn.URL)
	if err != nil || u.Host == "" {
		return ""
	}
	return u.Scheme + "://" + u.Host
}

// placeTarget makes what delivers to a connection.
func placeTarget(c *project.Config, name string, o actions.TargetOptions) (actions.Target, error) {
	conn, err := c.ActionConnection(name)
	if err != nil {
		return nil, err
	}
	return project.ActionTargets()[conn.Kind](conn, o)
}

// changedPlaces makes anew what delivers to connections whose settings or secrets are not what they were, and
// tells which came to be written to since the start.
func (s *Service) changedPlaces(before, fresh *project.Project, n *newServers) {
	for _, name := range fresh.Places() {
		c, old := fresh.Config.ConnectionNamed(name), before.Config.ConnectionNamed(name)
		if !slices.Contains(s.places, name) {
			n.restart = append(n.restart, "connections."+name+" (rules write to it now)")
			continue
		}
		files := c.SecretFiles()
		if old != nil && sameConnection(*old, *c) && bytes.Equal(s.secretsUsed[name], files) {
			continue
		}
		n.servers[name] = s.place(fresh.Config, name)
		n.secrets = append(n.secrets, secretsOf{name, files})
	}
}

// sameConnection tells whether two versions of culvert.yaml say the same of a connection, wherever they say it.
func sameConnection(a, b project.Connection) bool {
	a.Place, b.Place = diag.Place{}, diag.Place{}
	return reflect.DeepEqual(a, b)
}
