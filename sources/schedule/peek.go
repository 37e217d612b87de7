package schedule

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/culvert/culvert/sources"
	"github.com/culvert/culvert/sources/database"
	"github.com/culvert/culvert/sources/files"
	"github.com/culvert/culvert/sources/poll"
	"github.com/culvert/culvert/sources/tabular"
)

// Peek reads the first of what a run would read, as if it was the first run.
func (Kind) Peek(ctx context.Context, b sources.Bound, env sources.Env, limit int) ([]any, error) {
	rule := ruleOf(b.Rule, b.Trigger, env.Zone)
	if rule.DHIS2 != nil && rule.DHIS2.Server == "" {
		rule.DHIS2.Server = b.Server
	}
	s := New(Config{Rules: []Rule{rule}, Connect: database.Connect(env), Resolve: env.Secret, Lists: env.Lists,
		Dir: env.Dir, Inbox: env.Inbox, Log: env.Log})
	r := &run{Source: s, rule: rule, log: env.Log}
	switch {
	case rule.Query != nil:
		return database.First(ctx, env, rule.Connection, *rule.Query, limit)
	case rule.File != nil:
		return r.peekFile(ctx, limit)
	case rule.Folder != nil:
		return files.FirstRows(r.folderPath(), rule.Folder.Glob, tabular.Format{}, limit)
	}
	return poll.Glance(ctx, limit, func(ctx context.Context, sink sources.Sink) error {
		r.sink = sink
		_, err := r.read(ctx, time.Time{}, time.Now())
		return err
	})
}

// peekFile fetches the file to where it is removed at once.
func (r *run) peekFile(ctx context.Context, limit int) (rows []any, err error) {
	dir, err := os.MkdirTemp("", "culvert-peek-")
	if err != nil {
		return nil, fmt.Errorf("make room for the file: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	name, _, err := r.fetch(ctx, dir, time.Time{}, time.Now())
	if err != nil {
		return nil, err
	}
	return tabular.Sample(filepath.Join(dir, name), nil, r.rule.File.Format, limit)
}
