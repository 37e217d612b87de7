package database

import (
	"context"
	"fmt"
)

// Ping tells whether a database answers and takes the connection's credentials. Nothing is read.
func Ping(ctx context.Context, c Connection) error {
	d, err := Open(c)
	if err != nil {
		return err
	}
	defer func() { _ = d.Close() }() // only asked
	return explain(ctx, fmt.Sprintf("connect to %s", c.Name), d.db.PingContext(ctx))
}
