package remote

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"

	"github.com/culvert/culvert/rules/diag"
	"github.com/culvert/culvert/sources"
	"github.com/culvert/culvert/sources/tabular"
)

// Peek reads the first rows of the newest file. The file stays, and is taken by a run as if nobody had looked.
func (k Kind) Peek(ctx context.Context, b sources.Bound, env sources.Env, limit int) (rows []any, err error) {
	r := k.Rule(b.Trigger, func(diag.Diagnostic) {})
	r.Rule = b.Rule
	connection, err := env.Connection(r.Connection)
	if err != nil {
		return nil, fmt.Errorf("connection %s: %w", r.Connection, err)
	}
	place, err := k.Dial(ctx, connection, &r, env.Log)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, place.Close()) }()
	items, err := place.List(ctx)
	if err != nil {
		return nil, err
	}
	p := &pull{rule: &r}
	for _, item := range slices.Backward(inOrder(items)) {
		if item.Problem == "" && p.wants(item) && item.Size != 0 && item.Size <= r.MaxBytes {
			return firstRows(ctx, place, item, &r, limit)
		}
	}
	return nil, nil
}

// firstRows fetches a file to where it is removed at once.
func firstRows(ctx context.Context, place Place, item Item, r *Rule, limit int) (rows []any, err error) {
	dir, err := os.MkdirTemp("", "culvert-peek-")
	if err != nil {
		return nil, fmt.Errorf("make room for the file: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	name := filepath.Join(dir, "file"+filepath.Ext(item.Name))
	to, err := os.OpenFile(name, os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, fmt.Errorf("write the file: %w", err)
	}
	from, err := place.Open(ctx, item, 0)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("fetch %s: %w", item.Name, err), to.Close())
	}
	_, err = io.Copy(to, io.LimitReader(from, r.MaxBytes))
	if err := errors.Join(err, from.Close(), to.Close()); err != nil {
		return nil, fmt.Errorf("fetch %s: %w", item.Name, err)
	}
	return tabular.Sample(name, nil, r.Format, limit)
}
