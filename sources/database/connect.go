package database

import (
	"database/sql"
	"database/sql/driver"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/go-sql-driver/mysql"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	mssql "github.com/microsoft/go-mssqldb"
	_ "modernc.org/sqlite" // the driver "sqlite"

	"github.com/culvert/culvert/rules/diag"
)

// Connection says how to reach a database.
type Connection struct {
	Name               string
	URL                string // postgres://, mysql:// or user:password@tcp(host:3306)/name, sqlite:path, sqlserver://
	Username, Password string // where the URL has none
	Dir                string // that paths of SQLite files count from
	Write              bool   // outcomes are written to it; without it nothing can be changed
}

// Database is an open connection to one database. It is safe for concurrent use.
type Database struct {
	Name    string
	db      *sql.DB
	dialect *dialect
}

const (
	maxConnections = 4
	idleTime       = 5 * time.Minute
	dialTimeout    = 15 * time.Second
)

// Open reads a connection's address. It does not connect yet. Errors never hold the address, which may hold a password.
func Open(c Connection) (*Database, error) {
	d := &Database{Name: c.Name}
	var err error
	scheme, rest, _ := strings.Cut(c.URL, ":")
	switch scheme {
	case "postgres", "postgresql":
		d.dialect = postgres
		d.db, err = openPostgres(c)
	case "mysql", "mariadb":
		d.dialect = mySQL
		d.db, err = openMySQL(c)
	case "sqlite":
		d.dialect = sqLite
		d.db, err = openSQLite(c, rest)
	case "sqlserver":
		d.dialect = sqlServer
		d.db, err = openSQLServer(c)
	default:
		if !strings.Contains(c.URL, "@") || !strings.Contains(c.URL, ")/") {
			return nil, &diag.Problem{
				Message: fmt.Sprintf("the address of connection %q names no database that can be read", c.Name),
				Hint: "it begins with postgres://, mysql://, sqlite: or sqlserver://, or is " +
					"user:password@tcp(host:3306)/name for MySQL",
			}
		}
		d.dialect = mySQL
		d.db, err = openMySQL(c)
	}
	if err != nil {
		return nil, err
	}
	d.db.SetMaxOpenConns(maxConnections)
	d.db.SetMaxIdleConns(1)
	d.db.SetConnMaxIdleTime(idleTime)
	return d, nil
}

// Close closes the connections.
func (d *Database) Close() error { return d.db.Close() }

func badAddress(c Connection, form string) *diag.Problem {
	return &diag.Problem{Message: fmt.Sprintf("the address of connection %q cannot be read", c.Name),
		Hint: "write it as " + form + ", with signs of the password that an address cannot hold as %40 and the like"}
}

func openPostgres(c Connection) (*sql.DB, error) {
	config, err := pgx.ParseConfig(c.URL)
	if err != nil {
		return nil, badAddress(c, "postgres://user:password@host:5432/name")
	}
	if c.Username != "" {
		config.User = c.Username
	}
	if c.Password != "" {
		config.Password = c.Password
	}
	if config.ConnectTimeout == 0 {
		config.ConnectTimeout = dialTimeout
	}
	if config.RuntimeParams["application_name"] == "" {
		config.RuntimeParams["application_name"] = "culvert"
	}
	return stdlib.OpenDB(*config), nil
}

func openMySQL(c Connection) (*sql.DB, error) {
	dsn := c.URL
	if scheme, _, ok := strings.Cut(c.URL, "://"); ok && (scheme == "mysql" || scheme == "mariadb") {
		u, err := url.Parse(c.URL)
		if err != nil || u.Host == "" {
			return nil, badAddress(c, "mysql://user:password@host:3306/name")
		}
		m := mysql.NewConfig()
		m.User = u.User.Username()
		m.Passwd, _ = u.User.Password()
		m.Net, m.Addr, m.DBName = "tcp", u.Host, strings.TrimPrefix(u.Path, "/")
		dsn = m.FormatDSN()
		if u.RawQuery != "" {
			sep := "?"
			if strings.Contains(dsn, "?") {
				sep = "&"
			}
			dsn += sep + u.RawQuery
		}
	}
	m, err := mysql.ParseDSN(dsn)
	if err != nil {
		return nil, badAddress(c, "mysql://user:password@host:3306/name")
	}
	if c.Username != "" {
		m.User = c.Username
	}
	if c.Password != "" {
		m.Passwd = c.Password
	}
	m.ParseTime, m.Loc, m.MultiStatements, m.InterpolateParams = true, time.UTC, false, false
	m.ClientFoundRows = true // a row that already held what is written back was found
	m.Logger = &mysql.NopLogger{}
	if m.Timeout == 0 {
		m.Timeout = dialTimeout
	}
	if m.Params == nil {
		m.Params = map[string]string{}
	}
	m.Params["time_zone"] = "'+00:00'"
	connector, err := mysql.NewConnector(m)
	if err != nil {
		return nil, badAddress(c, "mysql://user:password@host:3306/name")
	}
	return sql.OpenDB(connector), nil
}

func openSQLite(c Connection, path string) (*sql.DB, error) {
	path = strings.TrimPrefix(path, "//")
	if path == "" {
		return nil, &diag.Problem{Message: "the address names no SQLite file", Hint: "write sqlite:data/registry.db"}
	}
	if !filepath.IsAbs(path) {
		path = filepath.Join(c.Dir, filepath.FromSlash(path))
	}
	if info, err := os.Stat(path); err != nil || info.IsDir() {
		return nil, &diag.Problem{
			Message: fmt.Sprintf("the SQLite file of connection %q is not there", c.Name),
			Hint:    "check the path; it counts from the project's folder",
		}
	}
	mode := "mode=ro&_pragma=query_only(1)"
	if c.Write {
		mode = "mode=rw&_txlock=immediate"
	}
	dsn := "file:" + (&url.URL{Path: filepath.ToSlash(path)}).EscapedPath() + "?" + mode + "&_pragma=busy_timeout(5000)"
	db, err := sql.Open("sqlite", dsn)
	if err != nil {
		return nil, &diag.Problem{Message: "the SQLite file of the connection cannot be opened", Hint: "check the path"}
	}
	return db, nil
}

func openSQLServer(c Connection) (*sql.DB, error) {
	u, err := url.Parse(c.URL)
	if err != nil || u.Host == "" {
		return nil, badAddress(c, "sqlserver://user:password@host:1433?database=name")
	}
	if c.Username != "" {
		u.User = url.UserPassword(c.Username, c.Password)
	}
	var connector driver.Connector
	if connector, err = mssql.NewConnector(u.String()); err != nil {
		return nil, badAddress(c, "sqlserver://user:password@host:1433?database=name")
	}
	return sql.OpenDB(connector), nil
}
