package console

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/culvert/culvert/engine/status"
)

// errNoServer and errNoObject answer 404.
var (
	errNoServer = notFound{"there is no such server in culvert.yaml"}
	errNoObject = notFound{"the synced metadata has no such object"}
)

// serverRow is a server with how delivery to it stands.
type serverRow struct {
	Server
	Status *status.Server // nil: no runner sends to it
	Pause  *pauseView
	Tables string // how its analytics tables stand; empty where nobody asks for that
}

type pauseView struct {
	Since    time.Time
	Who, Why string
}

type serversView struct {
	Servers     []serverRow
	Connections []Connection
}

func (s *Console) servers(r *http.Request) (view, error) {
	rows, err := s.serverRows(r.Context())
	if err != nil {
		return view{}, err
	}
	return view{Title: "Servers", Page: "servers", Data: serversView{rows, s.c.Running.Connections()}}, nil
}

func (s *Console) serverRows(ctx context.Context) ([]serverRow, error) {
	o, err := s.read(ctx)
	if err != nil {
		return nil, err
	}
	known := map[string]*status.Server{}
	for _, runner := range o.Runners {
		for i := range runner.Servers {
			known[runner.Servers[i].Name] = &runner.Servers[i]
		}
	}
	var rows []serverRow
	for _, x := range s.c.Running.Servers() {
		row := serverRow{Server: x, Status: known[x.Name]}
		for _, a := range o.Analytics {
			if a.Server == x.Name {
				row.Tables = a.Describe()
			}
		}
		if p := o.Paused.Servers[x.Name]; p != nil {
			row.Pause = &pauseView{p.Since, p.Who, p.Why}
		}
		rows = append(rows, row)
	}
	return rows, nil
}

type serverView struct {
	serverRow
	Catalogue []Object
	Search    string
	Hits      []Object
}

func (s *Console) server(r *http.Request) (view, error) {
	rows, err := s.serverRows(r.Context())
	if err != nil {
		return view{}, err
	}
	name := r.PathValue("name")
	for _, row := range rows {
		if row.Name != name {
			continue
		}
		data := serverView{serverRow: row, Search: r.FormValue("q")}
		if data.Search != "" {
			data.Hits = s.c.Running.Search(name, data.Search)
		} else {
			data.Catalogue = s.c.Running.Catalogue(name)
		}
		return view{Title: name, Page: "server", Trail: []link{{Name: "Servers", Path: Prefix + "servers"}}, Data: data}, nil
	}
	return view{}, errNoServer
}

type objectView struct {
	*Object
	Server, Link string
}

func (s *Console) object(r *http.Request) (view, error) {
	server := r.PathValue("name")
	x := s.c.Running.Object(server, r.PathValue("uid"))
	if x == nil {
		return view{}, errNoObject
	}
	trail := []link{{Name: "Servers", Path: Prefix + "servers"},
		{Name: server, Path: Prefix + "servers/" + url.PathEscape(server)}}
	return view{Title: x.Name, Page: "object", Trail: trail, Data: objectView{Object: x, Server: server}}, nil
}

// test asks a server or connection for something small, and says on the page of the servers what came of it.
func (s *Console) test(r *http.Request) (view, error) {
	name := r.PostFormValue("name")
	err := s.testNamed(r, name)
	if no, ok := errors.AsType[refusal](err); ok {
		return view{}, no
	}
	v, other := s.servers(r)
	if other != nil {
		return v, other
	}
	if v.Notice = name + " answers and takes our credentials."; err != nil {
		v.Notice, v.Alert = "", fmt.Sprintf("%s: %s.", name, err)
	}
	return v, nil
}

// testNamed asks a server or connection for something small; the error says what does not work.
func (s *Console) testNamed(r *http.Request, name string) error {
	if name == "" {
		return refused("name a server or connection")
	}
	err := s.c.Running.Test(r.Context(), name)
	s.c.Log.Info("a connection was tested", "connection", name, "who", who(r), "error", err)
	return err
}

// syncTime bounds a sync that somebody asked for.
const syncTime = 15 * time.Minute

// sync reads the metadata of a server anew, also when the visitor does not wait for it.
func (s *Console) sync(r *http.Request) (view, error) {
	name := r.PostFormValue("server")
	changes, err := s.syncNamed(r, name)
	failed, tried := errors.AsType[*syncFailed](err)
	if err != nil && !tried {
		return view{}, err
	}
	r.SetPathValue("name", name)
	v, other := s.server(r)
	if other != nil {
		return v, other
	}
	switch {
	case tried:
		v.Alert = failed.Error() + "."
	case len(changes) == 0:
		v.Notice = "Synced. Nothing has changed."
	default:
		v.Notice = fmt.Sprintf("Synced. Changes: %d, listed below.", len(changes))
	}
	return v, nil
}

// syncFailed is a sync of which nothing came.
type syncFailed struct{ err error }

func (e *syncFailed) Error() string {
	return fmt.Sprintf("The sync did not succeed; the last snapshot stays: %s", e.err)
}

// syncNamed reads the metadata of a server anew. The error is *syncFailed when the server did not give it.
func (s *Console) syncNamed(r *http.Request, name string) ([]string, error) {
	if !slices.ContainsFunc(s.c.Running.Servers(), func(x Server) bool { return x.Name == name }) {
		return nil, errNoServer
	}
	if err := s.note(r, "sync", "server "+name); err != nil {
		return nil, err
	}
	ctx, cancel := s.detached(r.Context(), syncTime)
	defer cancel()
	changes, err := s.c.Running.Sync(ctx, name)
	s.c.Log.Info("a sync was asked for", "server", name, "who", who(r), "changes", len(changes), "error", err)
	if err != nil {
		return nil, &syncFailed{err}
	}
	return changes, nil
}
