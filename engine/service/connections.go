package service

import (
	"bytes"
	"maps"
	"reflect"
	"slices"
	"sync"

	"github.com/culvert/culvert/actions/dhis2/client"
	"github.com/culvert/culvert/engine/dispatch"
	"github.com/culvert/culvert/engine/project"
	"github.com/culvert/culvert/rules/diag"
)

// connections are the clients of the servers, by name, as culvert.yaml says now.
type connections struct {
	mu     sync.Mutex
	byName map[string]*client.Client
}

func (c *connections) set(name string, cl *client.Client) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.byName == nil {
		c.byName = map[string]*client.Client{}
	}
	c.byName[name] = cl
}

// get gives the client of a server, nil when there is none.
func (c *connections) get(name string) *client.Client {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.byName[name]
}

func (c *connections) names() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Sorted(maps.Keys(c.byName))
}

// changedServers connects anew to the servers whose settings or secrets are not what they were.
// What cannot be connected to stays as it was, and its rules have findings that say why. Nothing
// live is touched: take puts the new ones in place.
func (s *Service) changedServers(before, fresh *project.Project) (*newServers, error) {
	n := &newServers{clients: map[string]*client.Client{}, servers: map[string]dispatch.Server{}}
	for i := range fresh.Config.Servers {
		c := &fresh.Config.Servers[i]
		old := before.Config.ServerNamed(c.Name)
		if old != nil && sameServer(*old, *c) && bytes.Equal(s.secretsUsed[c.Name], c.SecretFiles()) &&
			s.clients.get(c.Name) != nil {
			continue
		}
		cl, err := project.Connect(fresh.Config, c, s.o.Dir, s.o.Log, s.o.Version)
		if err != nil {
			s.o.Log.Error("the new settings of a server cannot be used; the old ones stay", "server", c.Name, "error", err)
			continue
		}
		index := s.indexes[c.Name]
		if index == nil { // a server that was not there at the start
			n.restart = append(n.restart, "servers."+c.Name)
			continue
		}
		e, err := s.engineServer(fresh.Config, c, cl, index)
		if err != nil {
			return nil, err
		}
		n.clients[c.Name], n.servers[c.Name] = cl, e
		n.secrets = append(n.secrets, secretsOf{c.Name, c.SecretFiles()})
	}
	s.changedPlaces(before, fresh, n)
	return n, nil
}

// newServers are connections that are ready and not in use yet.
type newServers struct {
	clients map[string]*client.Client
	servers map[string]dispatch.Server
	secrets []secretsOf
	restart []string // keys of culvert.yaml that only a new start takes up
}

type secretsOf struct {
	server string
	files  []byte
}

func (s *Service) take(n *newServers) {
	for name, cl := range n.clients {
		s.clients.set(name, cl)
		s.o.Log.Info("the settings of a server are live", "server", name)
	}
	for _, x := range n.secrets {
		s.secretsUsed[x.server] = x.files
	}
	s.runner.Reconfigure(n.servers)
}

// sameServer tells whether two versions of culvert.yaml say the same of a server, wherever they say it.
func sameServer(a, b project.Server) bool {
	a.Place, b.Place = diag.Place{}, diag.Place{}
	return reflect.DeepEqual(a, b)
}

// needsRestart lists what differs from how the process was started and cannot be changed while it runs.
func needsRestart(started, fresh *project.Config) (keys []string) {
	for key, same := range map[string]bool{
		"store": started.Store == fresh.Store, "listen": started.Listen == fresh.Listen,
		"state": started.StateDir == fresh.StateDir,
		"encryption_key": reflect.DeepEqual(started.Encryption, fresh.Encryption) &&
			reflect.DeepEqual(started.OldKeys, fresh.OldKeys), "time_zone": started.Zone.String() == fresh.Zone.String(),
		"max_backlog": started.MaxBacklog == fresh.MaxBacklog, "retention": started.Retention == fresh.Retention,
		"tracing": (started.Tracing == nil) == (fresh.Tracing == nil) &&
			(started.Tracing == nil || started.Tracing.Percent == fresh.Tracing.Percent),
	} {
		if !same {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	return keys
}
