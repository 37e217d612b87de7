package database

import (
	"context"
	"database/sql"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// dialect is how one kind of database wants to be asked.
type dialect struct {
	name        string
	quote       [2]string // around names
	placeholder func(n int) string
	top         bool // SELECT TOP n instead of LIMIT n
	named       bool // columns must be named, so that values come as they are stored
	readOnly    bool // has read-only transactions
	zoned       map[string]bool
	// prepare sets what a transaction needs: the limit on its statements' time.
	prepare func(ctx context.Context, d *Database, tx *sql.Tx, limit time.Duration) error
}

var (
	questionMark = func(int) string { return "?" }
	backquotes   = [2]string{"`", "`"}

	postgres = &dialect{name: "PostgreSQL", quote: [2]string{`"`, `"`},
		placeholder: func(n int) string { return "$" + strconv.Itoa(n) }, readOnly: true,
		zoned: map[string]bool{"TIMESTAMPTZ": true},
		prepare: func(ctx context.Context, _ *Database, tx *sql.Tx, limit time.Duration) error {
			_, err := tx.ExecContext(ctx, fmt.Sprintf("SET LOCAL statement_timeout = %d", limit.Milliseconds()))
			return err
		}}
	// In MySQL a TIMESTAMP is a moment, shown in the session's zone, which is UTC here; a DATETIME has no zone.
	mySQL = &dialect{name: "MySQL", quote: backquotes, placeholder: questionMark, readOnly: true,
		zoned: map[string]bool{"TIMESTAMP": true}, prepare: prepareMySQL}
	// SQLite keeps times as texts or numbers. Its driver makes times of texts where the column says
	// so; a cursor needs them as they are stored. Back quotes, because a name in double quotes that
	// does not exist is a text to SQLite.
	sqLite    = &dialect{name: "SQLite", quote: backquotes, placeholder: questionMark, named: true}
	sqlServer = &dialect{name: "SQL Server", quote: [2]string{"[", "]"},
		placeholder: func(n int) string { return "@p" + strconv.Itoa(n) }, top: true,
		zoned: map[string]bool{"DATETIMEOFFSET": true}}
)

// prepareMySQL limits the time of statements: MariaDB counts in seconds, MySQL in milliseconds, under different names.
func prepareMySQL(ctx context.Context, d *Database, tx *sql.Tx, limit time.Duration) error {
	var version string
	if err := tx.QueryRowContext(ctx, "SELECT VERSION()").Scan(&version); err != nil {
		return err
	}
	set := fmt.Sprintf("SET SESSION max_execution_time = %d", limit.Milliseconds())
	if strings.Contains(strings.ToLower(version), "mariadb") {
		set = fmt.Sprintf("SET SESSION max_statement_time = %g", limit.Seconds())
	}
	_, err := tx.ExecContext(ctx, set)
	return err
}

// alias is the name of the wrapped query.
const alias = "culvert"

func (d *dialect) column(name string) string { return alias + "." + d.quoted(name) }

// quoted quotes a name, which holds no quotes itself.
func (d *dialect) quoted(name string) string { return d.quote[0] + name + d.quote[1] }

// position is where a page begins.
type position struct {
	from  []value // the first column is at least this
	after []value // the columns come after these
}

// page gives the statement that reads the next rows of a query, and its arguments. columns are the
// result's, where the dialect needs them.
func (d *dialect) page(q Query, columns []string, at position, limit int) (string, []any, error) {
	var b strings.Builder
	var args []any
	bind := func(v value) (string, error) {
		arg, err := v.bind()
		if err != nil {
			return "", err
		}
		if d.named && v.Type == typeStart {
			// To SQLite every number comes before every text, unless a column's declared type says how to compare them.
			arg = number(v.Text)
		}
		args = append(args, arg)
		return d.placeholder(len(args)), nil
	}
	b.WriteString("SELECT ")
	if d.top {
		fmt.Fprintf(&b, "TOP (%d) ", limit)
	}
	b.WriteString(d.selection(columns))
	// The line's end closes a comment at the end of the query.
	fmt.Fprintf(&b, " FROM (%s\n) AS %s WHERE ", q.Text, alias)
	var order, conditions []string
	for _, name := range q.Cursor {
		conditions = append(conditions, d.column(name)+" IS NOT NULL")
		order = append(order, d.column(name))
	}
	if len(at.from) > 0 {
		p, err := bind(at.from[0])
		if err != nil {
			return "", nil, err
		}
		conditions = append(conditions, fmt.Sprintf("%s >= %s", order[0], p))
	}
	if len(at.after) > 0 {
		c, err := d.after(order, at.after, bind)
		if err != nil {
			return "", nil, err
		}
		conditions = append(conditions, c)
	}
	b.WriteString(strings.Join(conditions, " AND "))
	b.WriteString(" ORDER BY " + strings.Join(order, ", "))
	if !d.top {
		fmt.Fprintf(&b, " LIMIT %d", limit)
	}
	return b.String(), args, nil
}

// after is the condition for rows behind a place. The comparison of the first column alone is what
// every planner finds an index for.
func (d *dialect) after(columns []string, at []value, bind func(value) (string, error)) (string, error) {
	first, err := bind(at[0])
	if err != nil {
		return "", err
	}
	if len(columns) == 1 {
		return fmt.Sprintf("%s > %s", columns[0], first), nil
	}
	again, err := bind(at[0])
	if err != nil {
		return "", err
	}
	second, err := bind(at[1])
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("%[1]s >= %[2]s AND (%[1]s > %[3]s OR %[4]s > %[5]s)", columns[0], first, again, columns[1],
		second), nil
}

// whole gives the statement that reads all rows of a query, in no order.
func (d *dialect) whole(q Query, columns []string) string {
	return fmt.Sprintf("SELECT %s FROM (%s\n) AS %s", d.selection(columns), q.Text, alias)
}

// selection lists the columns to read. A sign in front makes an expression of a column, which has
// no declared type and is left as it is stored.
func (d *dialect) selection(columns []string) string {
	if !d.named {
		return "*"
	}
	list := make([]string, len(columns))
	for i, name := range columns {
		list[i] = "+" + d.column(name) + " AS " + d.quoted(name)
	}
	return strings.Join(list, ", ")
}
