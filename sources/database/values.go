package database

import (
	"database/sql"
	"encoding/base64"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/culvert/culvert/rules/diag"
	"github.com/culvert/culvert/sources/charset"
	"github.com/culvert/culvert/sources/tree"
)

// column is one column of a result.
type column struct {
	name     string
	number   bool // a decimal number that the driver gives as text
	json     bool
	letters  bool // text that the driver gives as bytes
	bits     bool
	binary   bool
	date     bool   // a day without a time
	zoned    bool   // its times are moments, not local times
	encoding string // of text that is not UTF-8
	cursor   int    // 1 for the first column of the cursor, 0 for none
}

// columnsOf reads what is known of a result's columns.
func (d *dialect) columnsOf(types []*sql.ColumnType, q Query) ([]column, error) {
	out := make([]column, len(types))
	seen := make(map[string]bool, len(types))
	for i, t := range types {
		name := t.Name()
		if name == "" || seen[name] {
			return nil, &diag.Problem{Message: fmt.Sprintf("column %d of the query's result has no name of its own",
				i+1),
				Hint: "give it one with AS"}
		}
		seen[name] = true
		kind := strings.TrimPrefix(t.DatabaseTypeName(), "UNSIGNED ")
		out[i] = column{
			name: name,
			number: kind == "NUMERIC" || kind == "DECIMAL" || kind == "MONEY" && d == sqlServer || kind == "SMALLMONEY" ||
				d == mySQL && (strings.HasSuffix(kind, "INT") || kind == "FLOAT" || kind == "DOUBLE" || kind == "YEAR"),
			json: kind == "JSON" || kind == "JSONB",
			bits: kind == "BIT" && d == mySQL,
			binary: strings.Contains(kind, "BLOB") || strings.Contains(kind, "BINARY") || kind == "BYTEA" ||
				kind == "UNIQUEIDENTIFIER" ||
				d == sqlServer && (kind == "TIMESTAMP" || kind == "ROWVERSION"),
			date:  kind == "DATE",
			zoned: d.zoned[kind],
			letters: d == mySQL && (strings.Contains(kind, "CHAR") || strings.Contains(kind, "TEXT") || kind == "ENUM" ||
				kind == "SET"),
			encoding: q.Encoding,
		}
		for n, c := range q.Cursor {
			if name == c {
				out[i].cursor = n + 1
			}
		}
	}
	for n, c := range q.Cursor {
		if !hasCursor(out, n+1) {
			return nil, &diag.Problem{Message: fmt.Sprintf("the query's result has no column %q", c),
				Hint: "name a column of it in cursor:, as the result names it"}
		}
	}
	return out, nil
}

func hasCursor(columns []column, n int) bool {
	for _, c := range columns {
		if c.cursor == n {
			return true
		}
	}
	return false
}

// normal gives what a driver read as one of the types that a cursor knows. Times are brought to one
// zone, so that equal moments are equal places.
func (c *column) normal(v any) any {
	switch v := v.(type) {
	case time.Time:
		return v.UTC()
	case []byte:
		if !c.binary {
			return string(v)
		}
	case int32:
		return int64(v)
	case uint64:
		if v <= math.MaxInt64 {
			return int64(v)
		}
		return strconv.FormatUint(v, 10)
	case float32:
		return float64(v)
	}
	return v
}

// body gives the value as a record holds it: number, text, bool, or what a JSON column holds; nil for NULL.
func (c *column) body(v any) any {
	switch v := v.(type) {
	case nil:
		return nil
	case bool:
		return v
	case int64:
		if v > 1<<53 || v < -1<<53 {
			return strconv.FormatInt(v, 10)
		}
		return float64(v)
	case int32:
		return float64(v)
	case uint64:
		if v > 1<<53 {
			return strconv.FormatUint(v, 10)
		}
		return float64(v)
	case float32:
		return finite(float64(v), 32)
	case float64:
		return finite(v, 64)
	case time.Time:
		return c.time(v)
	case string:
		return c.text(v)
	case []byte:
		return c.bytes(v)
	}
	return fmt.Sprint(v)
}

// finite gives a number as JSON can hold it. A single precision number is read by its shortest
// form: 0.1 is 0.1, not 0.10000000149.
func finite(f float64, bits int) any {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return nil
	}
	if bits == 32 {
		f, _ = strconv.ParseFloat(strconv.FormatFloat(f, 'g', -1, 32), 64)
	}
	return f
}

// time gives a time as ISO text: a day alone for dates, without a zone where the column has none.
func (c *column) time(t time.Time) any {
	switch {
	case t.IsZero():
		return nil // MySQL's 0000-00-00
	case c.date:
		return t.Format(time.DateOnly)
	case c.zoned:
		return t.UTC().Format("2006-01-02T15:04:05.999999999Z07:00")
	}
	return t.Format("2006-01-02T15:04:05.999999999")
}

func (c *column) text(s string) any {
	if c.number {
		return decimal(s)
	}
	if c.json {
		if v, err := tree.JSON([]byte(s), tree.Limits{Depth: maxDepth}); err == nil {
			return v
		}
	}
	if utf8.ValidString(s) {
		return s
	}
	// Databases that check no encoding (SQLite, PostgreSQL's SQL_ASCII) give bytes as they were written.
	if c.encoding != "" {
		if text, err := charset.UTF8([]byte(s), c.encoding); err == nil {
			return string(text)
		}
	}
	return strings.ToValidUTF8(s, "\uFFFD") // the record fails where it is used
}

const maxDepth = 64

func (c *column) bytes(b []byte) any {
	if c.bits && len(b) == 1 {
		return b[0] != 0
	}
	if c.letters || utf8.Valid(b) {
		return c.text(string(b))
	}
	return base64.StdEncoding.EncodeToString(b)
}

// decimal gives a decimal number, or its text where a float64 would change its digits.
func decimal(s string) any {
	f, err := strconv.ParseFloat(s, 64)
	if err != nil || math.IsNaN(f) || math.IsInf(f, 0) {
		return s
	}
	plain := s
	if strings.Contains(plain, ".") {
		plain = strings.TrimSuffix(strings.TrimRight(plain, "0"), ".")
	}
	if strconv.FormatFloat(f, 'f', -1, 64) != plain {
		return s
	}
	return f
}
