package service

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/culvert/culvert/actions"
	"github.com/culvert/culvert/actions/dhis2/weblink"
	"github.com/culvert/culvert/engine/console"
	"github.com/culvert/culvert/engine/journal"
	"github.com/culvert/culvert/engine/program"
	"github.com/culvert/culvert/engine/project"
	"github.com/culvert/culvert/rules"
	"github.com/culvert/culvert/sources/results"
	"github.com/culvert/culvert/sources/tabular"
)

// rowLimit bounds how long it may take to read as far as a row.
const rowLimit = 5 * time.Second

// Row reads a row of a file as a record.
func (s *inspection) Row(ctx context.Context, f journal.File, row results.Row) (console.Input, error) {
	flow, _, err := Flow(s.current.Load(), s.ruleNow(f.Rule))
	if err != nil {
		return console.Input{}, &console.RowGone{Why: err.Error()}
	}
	return readRow(ctx, flow, f, row)
}

// ruleNow gives what a rule of that name is called now.
func (s *inspection) ruleNow(rule string) string {
	p := s.current.Load()
	if now := p.Former[rule]; now != "" && p.RuleNamed(rule) == nil {
		return now
	}
	return rule
}

func readRow(ctx context.Context, flow *program.Flow, f journal.File, row results.Row) (in console.Input, err error) {
	path := f.Path
	if f.State != journal.FileOpen {
		path = results.Original(f.Results, f.Name)
	}
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return in, &console.RowGone{Why: fmt.Sprintf("the file %s is gone from where it was, or lies with another runner: "+
			"what its rows say cannot be read any more", filepath.Base(path))}
	}
	if err != nil {
		return in, fmt.Errorf("read a row of %s: %w", f.Name, err)
	}
	deadline, cancel := context.WithTimeout(ctx, rowLimit)
	defer cancel()
	r, err := rowAt(deadline, path, flow, row.Record)
	_, unreadable := errors.AsType[*tabular.FileError](err)
	bad, broken := errors.AsType[*tabular.RowError](err)
	switch {
	case deadline.Err() != nil && ctx.Err() == nil:
		return in, &console.RowGone{Why: fmt.Sprintf("row %d lies so far down in %s that reading it would take too long: "+
			"open the file itself", row.Line, filepath.Base(path))}
	case broken:
		return in, &console.RowGone{Why: fmt.Sprintf("the row cannot be read: %s", bad.Message)}
	case unreadable, errors.Is(err, io.EOF), err == nil && !sameRow(flow, f, info, row, r):
		return in, &console.RowGone{Why: fmt.Sprintf("the file %s is not what it was when its rows were sent, and this "+
			"row cannot be found in it", filepath.Base(path))}
	case err != nil:
		return in, fmt.Errorf("read a row of %s: %w", f.Name, err)
	}
	rec := &journal.Record{}
	if err := program.EncodeBody(rec, nil, r.Body); err != nil {
		return in, fmt.Errorf("read a row of %s: %w", f.Name, err)
	}
	return console.Input{ID: row.ID, Origin: console.OriginOf(f, row), Received: f.Received, Body: rec.Body}, nil
}

// rowAt reads a file as far as a row.
func rowAt(ctx context.Context, path string, flow *program.Flow, n int64) (row tabular.Row, err error) {
	reader, err := tabular.Open(ctx, path, FormatFor(flow.Rule))
	if err != nil {
		return row, err
	}
	defer func() { err = errors.Join(err, reader.Close()) }()
	if err := reader.Skip(n - 1); err != nil {
		return row, err
	}
	return reader.Next()
}

// sameRow tells whether a row is the one that results are of. A file whose lines were taken out since
// has another length, and one that was sorted another time; what then stands where the row stood may be
// somebody else's.
func sameRow(flow *program.Flow, f journal.File, info fs.FileInfo, was results.Row, now tabular.Row) bool {
	asLong := f.Size == 0 || info.Size() == f.Size
	if asLong && (f.Finished.IsZero() || !info.ModTime().After(f.Finished.Add(time.Second))) {
		return true
	}
	if was.ID == "" {
		return asLong
	}
	e, err := program.Evaluate(flow, rules.Input{Body: now.Body, FileID: f.ID,
		Source: program.SourceFields(console.OriginOf(f, was), f.Received)})
	return err == nil && e.ID == was.ID && cmp.Or(e.Key, was.Key) == was.Key
}

// Links tells what the objects are that a record wrote.
func (s *inspection) Links(ctx context.Context, rule string, objects, about []string) ([]console.InDHIS2, error) {
	p := s.current.Load()
	flow := s.runner.Program().Flow(s.ruleNow(rule))
	if flow == nil {
		return plain(objects), nil
	}
	address := ""
	if cl := s.clients.get(flow.Server); cl != nil {
		address = cl.URL()
	}
	list, err := Written(ctx, p, s.journal, flow, address, objects, about)
	if err != nil {
		return nil, err
	}
	out := make([]console.InDHIS2, len(list))
	for i, o := range list {
		out[i] = console.InDHIS2{ID: o.ID, Kind: o.Kind, Name: o.Name, URL: o.URL}
	}
	return out, nil
}

// plain are objects of which nothing is known but what they are called.
func plain(objects []string) []console.InDHIS2 {
	out := make([]console.InDHIS2, len(objects))
	for i, id := range objects {
		out[i].ID = id
	}
	return out
}

// Written tells of the objects that a record of a flow wrote what they are, and where people look at them.
func Written(ctx context.Context, p *project.Project, j journal.Journal, flow *program.Flow, address string,
	objects, about []string) ([]weblink.Object, error) {
	if p.Config.ServerNamed(flow.Server) == nil { // no DHIS2
		list := make([]weblink.Object, len(objects))
		for i, id := range objects {
			list[i].ID = id
		}
		return list, nil
	}
	w := weblink.Written{Objects: objects, OrgUnits: about, Uses: map[string]bool{}}
	for _, a := range flow.Actions {
		if u, ok := a.(actions.User); ok {
			for _, use := range u.Uses() {
				w.Uses[use.ID] = true
			}
		}
	}
	return weblink.SiteOf(address, p.Indexes[flow.Server]).Objects(ctx, j.Memory(flow.Server).Digests, w)
}

// PersonLink is where people look at a tracked entity.
func (s *inspection) PersonLink(server, uid string) string {
	cl := s.clients.get(server)
	if cl == nil {
		return ""
	}
	return weblink.SiteOf(cl.URL(), s.current.Load().Indexes[server]).Person(uid, "", "")
}

// FoundRow is a row of a file that has no record in the journal.
type FoundRow struct {
	File    journal.File
	Row     results.Row
	Body    []byte // JSON; empty where it cannot be read
	Unknown string // why it cannot
}

// RowOf finds a row of the newest file of a name, by its line. The error is fs.ErrNotExist where there
// is no such file, or its results say nothing of the row.
func RowOf(ctx context.Context, p *project.Project, j journal.Journal, name string, line int) (out FoundRow, err error) {
	list, err := j.Files(ctx, "")
	if err != nil {
		return out, fmt.Errorf("list the files that were taken: %w", err)
	}
	at := slices.IndexFunc(list, func(f journal.File) bool { return strings.EqualFold(f.Name, name) })
	if at < 0 {
		return out, fs.ErrNotExist
	}
	out.File = list[at]
	path := out.File.Results
	if out.File.State == journal.FileOpen {
		path = results.Path(out.File.File)
	}
	content, err := os.Open(path)
	if err != nil {
		return out, fmt.Errorf("open the results of %s: %w", name, err)
	}
	defer content.Close()
	info, err := content.Stat()
	if err != nil {
		return out, fmt.Errorf("open the results of %s: %w", name, err)
	}
	rows, _, err := results.Find(ctx, content, info.Size(), 0, results.Query{Line: line}, results.Budget{Rows: 1})
	if err != nil {
		return out, err
	}
	if len(rows) == 0 {
		return out, fs.ErrNotExist
	}
	out.Row = rows[0]
	flow, _, err := Flow(p, out.File.Rule)
	if err != nil {
		out.Unknown = err.Error()
		return out, nil
	}
	in, err := readRow(ctx, flow, out.File, out.Row)
	if gone, ok := errors.AsType[*console.RowGone](err); ok {
		out.Unknown = gone.Why
		return out, nil
	}
	out.Body = in.Body
	return out, err
}

// WrittenBy is Written for a rule's name, without a running project.
func WrittenBy(ctx context.Context, p *project.Project, j journal.Journal, rule string, objects, about []string,
	log *slog.Logger) ([]weblink.Object, error) {
	flow := Flows(p)[rule]
	if flow == nil {
		return nil, nil
	}
	address := ""
	if c := p.Config.ServerNamed(flow.Server); c != nil {
		if cl, err := project.Connect(p.Config, c, p.Dir, log, ""); err == nil { // else without links
			address = cl.URL()
		}
	}
	return Written(ctx, p, j, flow, address, objects, about)
}
