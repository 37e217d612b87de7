package sqlite

import (
	"context"
	"database/sql"
	"strings"

	"github.com/culvert/culvert/actions"
)

// hiddenContributors is the first format in which contributors do not tell which record they are.
// SQLite has no hashes, so that its migration is not all SQL.
const hiddenContributors = 5

// hideContributors gives every contributor that still is rule/id/item its new name.
func hideContributors(ctx context.Context, conn *sql.Conn) error {
	for _, table := range []string{"contributions", "contributions_left"} {
		rows, err := conn.QueryContext(ctx, "SELECT DISTINCT contributor FROM "+table)
		var names []string
		err = scan(rows, err, func(rows *sql.Rows) error {
			var name string
			err := rows.Scan(&name)
			names = append(names, name)
			return err
		})
		if err != nil {
			return err
		}
		for _, name := range names {
			hidden, ok := hiddenContributor(name)
			if !ok {
				continue
			}
			if _, err := conn.ExecContext(ctx, "UPDATE "+table+" SET contributor = ? WHERE contributor = ?", hidden,
				name); err != nil {
				return err
			}
		}
	}
	return nil
}

// hiddenContributor reads a name of the earlier form: the rule, the record's id, and an item of four parts.
func hiddenContributor(name string) (string, bool) {
	rule, rest, ok := strings.Cut(name, "/")
	if !ok {
		return "", false
	}
	at := len(rest)
	for range 4 {
		if at = strings.LastIndexByte(rest[:at], '/'); at <= 0 {
			return "", false
		}
	}
	return actions.ContributorOf(rule, rest[:at], rest[at+1:]), true
}
