package database

import (
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/culvert/culvert/rules/diag"
	"github.com/culvert/culvert/sources"
)

// WriteBack is a statement that tells a database how its rows were settled.
type WriteBack struct {
	Connection string // where it is run
	Timeout    time.Duration
	statement  statement
	ignored    []string // columns whose change alone is no news: those that it sets, and the first one of the cursor
}

// errNoRow is that a record is told of whose row is not known any more.
var errNoRow = errors.New("the row was erased")

// digest gives a fingerprint of what would be written for an outcome; never 0. The time of settling
// and what the statement changes by itself are left out: a row that comes again only because it was
// written back is not written again.
func (w *WriteBack) digest(o *sources.Outcome) (uint64, error) {
	row := maps.Clone(o.Body)
	maps.DeleteFunc(row, func(name string, _ any) bool {
		return slices.ContainsFunc(w.ignored, func(other string) bool { return strings.EqualFold(name, other) })
	})
	text, err := json.Marshal([]any{w.statement.text, w.Connection, o.State, o.Objects, o.Code, o.Message, o.Hint, row})
	if err != nil {
		return 0, err
	}
	h := fnv.New64a()
	_, _ = h.Write(text)
	sum := h.Sum64()
	if folded := (sum ^ sum>>32) & sources.OutcomeMask; folded != 0 {
		return folded, nil
	}
	return 1, nil
}

// arguments gives the values of the statement's parameters, in the order of its text.
func (w *WriteBack) arguments(d *dialect, o *sources.Outcome) ([]any, error) {
	if o.Body == nil {
		return nil, errNoRow
	}
	out := make([]any, len(w.statement.parameters))
	for i, p := range w.statement.parameters {
		v, err := w.value(p, o)
		if err != nil {
			return nil, err
		}
		out[i] = d.argument(v)
	}
	return out, nil
}

func (w *WriteBack) value(p parameter, o *sources.Outcome) (any, error) {
	if p.column {
		if v, ok := o.Body[p.name]; ok {
			return v, nil
		}
		for name, v := range o.Body {
			if strings.EqualFold(name, p.name) {
				return v, nil
			}
		}
		message, hint := unknownColumn(p.name, slices.Sorted(maps.Keys(o.Body)))
		return nil, &diag.Problem{Message: message, Hint: hint}
	}
	switch p.name {
	case "outcome":
		return o.State, nil
	case "record":
		return o.RecordID, nil
	case "objects":
		return blank(strings.Join(o.Objects, " ")), nil
	case "object":
		if len(o.Objects) == 0 {
			return nil, nil
		}
		return o.Objects[0], nil
	case "code":
		return blank(o.Code), nil
	case "cause":
		return blank(o.Message), nil
	case "hint":
		return blank(o.Hint), nil
	}
	return o.Settled.UTC(), nil
}

// blank gives NULL for an empty text.
func blank(text string) any {
	if text == "" {
		return nil
	}
	return text
}

// argument gives a value as a driver takes it. PostgreSQL reads every value from its text by the
// type of where it goes; the others convert by themselves.
func (d *dialect) argument(v any) any {
	if t, ok := v.(time.Time); ok {
		if d == postgres || d == sqLite {
			return t.Format("2006-01-02T15:04:05.000Z")
		}
		return t
	}
	if f, ok := v.(float64); ok && f == math.Trunc(f) && math.Abs(f) <= 1<<53 {
		v = int64(f)
	}
	switch v.(type) {
	case []any, map[string]any:
		if text, err := json.Marshal(v); err == nil {
			v = string(text)
		}
	}
	if d != postgres || v == nil {
		return v
	}
	switch v := v.(type) {
	case int64:
		return strconv.FormatInt(v, 10)
	case float64:
		return strconv.FormatFloat(v, 'g', -1, 64)
	case bool:
		return strconv.FormatBool(v)
	}
	return v
}

// Fits reports columns that the statement names and rows do not have, and names that mean two things.
func (w *WriteBack) fits(columns []string, report func(from, to int, message, hint string)) {
	for _, p := range w.statement.parameters {
		known := slices.ContainsFunc(columns, func(c string) bool { return strings.EqualFold(c, p.name) })
		switch {
		case p.column && !known:
			message, hint := unknownColumn(p.name, columns)
			report(p.from, p.to, message, hint)
		case !p.column && known:
			report(p.from, p.to, fmt.Sprintf(":%s is part of the outcome, and the row has a column of that name too", p.name),
				"give the column another name in the query: "+p.name+" AS row_"+p.name)
		}
	}
}
