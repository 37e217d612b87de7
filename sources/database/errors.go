package database

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"

	"github.com/go-sql-driver/mysql"
	"github.com/jackc/pgx/v5/pgconn"
	mssql "github.com/microsoft/go-mssqldb"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/culvert/culvert/rules/diag"
)

// explain words what a driver says. Databases put data into some of their messages; those are replaced by their code.
func explain(ctx context.Context, doing string, err error) error {
	if err == nil {
		return nil
	}
	var own *diag.Problem
	if errors.As(err, &own) {
		return fmt.Errorf("%s: %w", doing, own)
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("%s: %w", doing, tooSlow())
	}
	if ctx.Err() != nil {
		return fmt.Errorf("%s: %w", doing, ctx.Err())
	}
	return fmt.Errorf("%s: %w", doing, &said{worded(err), err})
}

// said is what a driver said, in our words. Its own words, which may hold data, are kept for those
// that look at what kind of error it is.
type said struct {
	own   *diag.Problem
	cause error
}

// Error implements error.
func (s *said) Error() string { return s.own.Error() }

// Unwrap gives both.
func (s *said) Unwrap() []error { return []error{s.own, s.cause} }

func tooSlow() *diag.Problem {
	return &diag.Problem{Message: "the database did not answer in time",
		Hint: "add an index on the cursor's columns, or set timeout: higher"}
}

// saidBy asks the function for the kind of database that an error comes from; false when it comes from none.
func saidBy[T any](err error, postgres func(*pgconn.PgError) T, my func(*mysql.MySQLError) T,
	sqlServer func(mssql.Error) T, lite func(*sqlite.Error) T) (said T, ok bool) {
	var pgErr *pgconn.PgError
	var myErr *mysql.MySQLError
	var msErr mssql.Error
	var liteErr *sqlite.Error
	switch {
	case errors.As(err, &pgErr):
		return postgres(pgErr), true
	case errors.As(err, &myErr):
		return my(myErr), true
	case errors.As(err, &msErr):
		return sqlServer(msErr), true
	case errors.As(err, &liteErr):
		return lite(liteErr), true
	}
	return said, false
}

func worded(err error) *diag.Problem {
	if own, said := saidBy(err, postgresError, mysqlError, sqlServerError, sqliteError); said {
		return own
	}
	var network *net.OpError
	switch {
	case errors.As(err, &network):
		return &diag.Problem{Message: "the database cannot be reached: " + network.Err.Error(),
			Hint: "check address, port and firewall"}
	case lost(err):
		return &diag.Problem{Message: "the connection to the database was lost"}
	}
	var dns *net.DNSError
	if errors.As(err, &dns) {
		return &diag.Problem{Message: "the database's host is not known",
			Hint: "check the name in the connection's address"}
	}
	return &diag.Problem{Message: fmt.Sprintf("the database cannot be read (%T)", err),
		Hint: "look into the database's own log"}
}

// lost tells of an error whether the connection ended: each driver has words of its own for it, and some none.
func lost(err error) bool {
	for _, sign := range []error{driver.ErrBadConn, sql.ErrConnDone, mysql.ErrInvalidConn, pgconn.ErrConnClosed, net.ErrClosed,
		io.EOF, io.ErrUnexpectedEOF} {
		if errors.Is(err, sign) {
			return true
		}
	}
	return false
}

var (
	refusedLogin = &diag.Problem{Message: "the database refuses the user or the password",
		Hint: "check the connection's credentials"}
	mayNotRead = &diag.Problem{Message: "the user may not read what the query names", Hint: "grant SELECT on it"}
)

// postgresError goes by the class of the SQLSTATE (PostgreSQL's documentation, appendix A).
func postgresError(e *pgconn.PgError) *diag.Problem {
	switch {
	case e.Code == "57014":
		return tooSlow()
	case e.Code == "42501":
		return mayNotRead
	case e.Code == "25006":
		return &diag.Problem{Message: "the query writes, which a read-only transaction refuses",
			Hint: "write a plain SELECT"}
	case len(e.Code) == 5 && e.Code[:2] == "42":
		return &diag.Problem{Message: "the database refuses the query: " + e.Message + " (" + e.Code + ")",
			Hint: "run the query by hand; the cursor must name columns of its result"}
	case len(e.Code) == 5 && e.Code[:2] == "28", e.Code == "3D000":
		return refusedLogin
	case len(e.Code) == 5 && (e.Code[:2] == "53" || e.Code[:2] == "57"):
		return &diag.Problem{Message: "the database takes no more work now (" + e.Code + ")"}
	}
	return &diag.Problem{Message: "the database cannot run the query (SQLSTATE " + e.Code + ")",
		Hint: "run the query by hand to see why"}
}

// mysqlError goes by the server's error numbers (MySQL's and MariaDB's reference manuals).
func mysqlError(e *mysql.MySQLError) *diag.Problem {
	switch e.Number {
	case 1044, 1045, 1049, 1698:
		return refusedLogin
	case 1142, 1143, 1370:
		return mayNotRead
	case 1969, 3024, 1317:
		return tooSlow()
	case 1792:
		return &diag.Problem{Message: "the query writes, which a read-only transaction refuses",
			Hint: "write a plain SELECT"}
	case 1054, 1060, 1064, 1146, 1052, 1305:
		return &diag.Problem{Message: fmt.Sprintf("the database refuses the query: %s (%d)", e.Message, e.Number),
			Hint: "run the query by hand; the cursor must name columns of its result"}
	}
	return &diag.Problem{Message: fmt.Sprintf("the database cannot run the query (error %d)", e.Number),
		Hint: "run the query by hand to see why"}
}

func sqlServerError(e mssql.Error) *diag.Problem {
	switch e.Number {
	case 18456, 4060:
		return refusedLogin
	case 229, 230:
		return mayNotRead
	case 102, 156, 207, 208, 1033, 8156:
		return &diag.Problem{Message: fmt.Sprintf("the database refuses the query: %s (%d)", e.Message, e.Number),
			Hint: "run the query by hand; on SQL Server it cannot begin with WITH"}
	}
	return &diag.Problem{Message: fmt.Sprintf("the database cannot run the query (error %d)", e.Number),
		Hint: "run the query by hand to see why"}
}

func sqliteError(e *sqlite.Error) *diag.Problem {
	switch e.Code() & 0xff {
	case sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM:
		return &diag.Problem{Message: "the database file cannot be opened",
			Hint: "check that the path exists, counted from the project's folder, and may be read"}
	case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED:
		return &diag.Problem{Message: "the database file is locked by another program"}
	case sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT:
		return &diag.Problem{Message: "the file is no SQLite database, or is damaged", Hint: "check the path"}
	case sqlite3.SQLITE_READONLY:
		return &diag.Problem{Message: "the query writes, which is refused", Hint: "write a plain SELECT"}
	case sqlite3.SQLITE_INTERRUPT:
		return tooSlow()
	case sqlite3.SQLITE_ERROR:
		return &diag.Problem{Message: "the database refuses the query: " + e.Error(),
			Hint: "run the query by hand; the cursor must name columns of its result"}
	}
	return &diag.Problem{Message: fmt.Sprintf("the database cannot run the query (SQLite code %d)", e.Code()),
		Hint: "run the query by hand to see why"}
}

// isBadValue tells whether a database refuses a value: as of another type than what it is compared with.
func isBadValue(err error) bool {
	bad, ok := saidBy(err, func(e *pgconn.PgError) bool { return strings.HasPrefix(e.Code, "22") },
		func(e *mysql.MySQLError) bool { return e.Number == 1292 || e.Number == 1366 || e.Number == 1525 },
		func(e mssql.Error) bool { return e.Number == 245 || e.Number == 8114 || e.Number == 241 },
		func(*sqlite.Error) bool { return false })
	return ok && bad
}

// Answers tells of an error whether the database answered, and refused this query alone.
func Answers(err error) bool {
	refused, ok := saidBy(err,
		func(e *pgconn.PgError) bool {
			return len(e.Code) == 5 && slices.Contains([]string{"42", "22", "25"}, e.Code[:2])
		},
		func(e *mysql.MySQLError) bool {
			return mysqlError(e).Hint != "" && e.Number != 1045 && e.Number != 1044
		},
		func(e mssql.Error) bool { return e.Number != 18456 && e.Number != 4060 },
		func(e *sqlite.Error) bool { return e.Code()&0xff == sqlite3.SQLITE_ERROR })
	return ok && refused
}
