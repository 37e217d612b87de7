package database

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/go-sql-driver/mysql"
	"github.com/jackc/pgx/v5/pgconn"
	mssql "github.com/microsoft/go-mssqldb"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/culvert/culvert/rules/diag"
)

// Numbers of errors that concern one row: its values do not fit, or break a constraint, or a
// trigger refuses them (the manuals of MySQL, MariaDB and SQL Server). All other errors would meet
// every row.
var (
	mysqlOfRow     = []uint16{1048, 1062, 1264, 1265, 1292, 1366, 1406, 1451, 1452, 1644, 3819, 4025}
	sqlServerOfRow = []int32{245, 515, 547, 2601, 2627, 2628, 8114, 8115, 8152, 50000}
	sqliteOfRow    = []int{sqlite3.SQLITE_CONSTRAINT, sqlite3.SQLITE_MISMATCH, sqlite3.SQLITE_TOOBIG}
)

// ofRow tells whether an error of a write-back concerns its row alone.
func ofRow(err error) bool {
	is, _ := saidBy(err,
		// Class 22 is data, 23 constraints, P0001 what a function raises (PostgreSQL's documentation, appendix A).
		func(e *pgconn.PgError) bool {
			return len(e.Code) == 5 && (e.Code[:2] == "22" || e.Code[:2] == "23") || e.Code == "P0001"
		},
		func(e *mysql.MySQLError) bool { return slices.Contains(mysqlOfRow, e.Number) },
		func(e mssql.Error) bool { return slices.Contains(sqlServerOfRow, e.Number) },
		func(e *sqlite.Error) bool { return slices.Contains(sqliteOfRow, e.Code()&0xff) },
	)
	return is
}

// explainWrite words what a database says to a write-back.
func explainWrite(ctx context.Context, err error) error {
	own, said := saidBy(err, postgresWrite, mysqlWrite, sqlServerWrite, sqliteWrite)
	switch {
	case said:
		return wordedWrite(own, err)
	case errors.Is(err, context.DeadlineExceeded):
		return wordedWrite(tooSlowToWrite, err)
	}
	return explain(ctx, "write outcomes back", err)
}

// wordedWrite is the error in words, or what is said of a query when there are none of its own.
func wordedWrite(own *diag.Problem, err error) error {
	if own == nil {
		own = worded(err)
	}
	return fmt.Errorf("write outcomes back: %w", own)
}

var (
	mayNotWrite = &diag.Problem{Message: "the user may not change what the statement names",
		Hint: "grant it UPDATE on that table, or name another connection: write_back: {connection: ..., statement: ...}"}
	tooSlowToWrite = &diag.Problem{Message: "the database did not run the statement in time",
		Hint: "add an index on the column that finds the row"}
	byHand = "run the statement by hand with the values of one row"
)

// refused words that one row is refused. Messages of databases may hold its values; names of
// constraints and columns do not.
func refused(what, code string) *diag.Problem {
	return &diag.Problem{Message: fmt.Sprintf("the database refuses the values for the row: %s (%s)", what, code),
		Hint: byHand}
}

func postgresWrite(e *pgconn.PgError) *diag.Problem {
	switch {
	case ofRow(e) && e.ConstraintName != "":
		return refused("constraint "+e.ConstraintName, e.Code)
	case ofRow(e) && e.ColumnName != "":
		return refused("column "+e.ColumnName, e.Code)
	case ofRow(e):
		return refused("they do not fit their columns", e.Code)
	case e.Code == "42501":
		return mayNotWrite
	case e.Code == "42P18":
		return &diag.Problem{Message: "the database cannot tell which type a parameter has (" + e.Code + ")",
			Hint: "name it: :cause::text"}
	case e.Code[:min(2, len(e.Code))] == "42":
		return &diag.Problem{Message: "the database refuses the statement: " + e.Message + " (" + e.Code + ")",
			Hint: byHand}
	case e.Code == "25006":
		return &diag.Problem{Message: "the database takes no changes",
			Hint: "write to the primary server: write_back: {connection: ..., statement: ...}"}
	case e.Code == "57014":
		return tooSlowToWrite
	}
	return nil
}

func mysqlWrite(e *mysql.MySQLError) *diag.Problem {
	switch {
	case ofRow(e):
		return refused("they do not fit, or break a constraint", fmt.Sprint(e.Number))
	case e.Number == 1142, e.Number == 1143, e.Number == 1370:
		return mayNotWrite
	case e.Number == 1054, e.Number == 1064, e.Number == 1146, e.Number == 1305:
		return &diag.Problem{Message: fmt.Sprintf("the database refuses the statement: %s (%d)", e.Message, e.Number),
			Hint: byHand}
	case e.Number == 1290, e.Number == 1792, e.Number == 1836:
		return &diag.Problem{Message: "the database takes no changes",
			Hint: "write to the primary server: write_back: {connection: ..., statement: ...}"}
	case e.Number == 1969, e.Number == 3024, e.Number == 1317:
		return tooSlowToWrite
	}
	return nil
}

func sqlServerWrite(e mssql.Error) *diag.Problem {
	switch {
	case ofRow(e):
		return refused("they do not fit, or break a constraint", fmt.Sprint(e.Number))
	case e.Number == 229, e.Number == 230:
		return mayNotWrite
	case e.Number == 102, e.Number == 156, e.Number == 207, e.Number == 208:
		return &diag.Problem{Message: fmt.Sprintf("the database refuses the statement: %s (%d)", e.Message, e.Number),
			Hint: byHand}
	}
	return nil
}

func sqliteWrite(e *sqlite.Error) *diag.Problem {
	switch {
	case ofRow(e):
		return refused("they break a constraint", fmt.Sprintf("SQLite code %d", e.Code()))
	case e.Code()&0xff == sqlite3.SQLITE_READONLY:
		return &diag.Problem{Message: "the database file may not be written",
			Hint: "let the user that runs Culvert write the file and its folder"}
	case e.Code()&0xff == sqlite3.SQLITE_ERROR:
		return &diag.Problem{Message: "the database refuses the statement: " + e.Error(), Hint: byHand}
	case e.Code()&0xff == sqlite3.SQLITE_INTERRUPT:
		return tooSlowToWrite
	}
	return nil
}
