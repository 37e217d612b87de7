package database

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/culvert/culvert/rules/diag"
)

// value is one column of a cursor, in a form that outlives a restart and is bound to a statement
// exactly as it was read.
type value struct {
	Type string `json:"t"` // time, integer, float, decimal, text or bytes
	Text string `json:"v"`
}

const (
	typeTime    = "time"
	typeInteger = "integer"
	typeFloat   = "float"
	typeDecimal = "decimal" // exact, as text
	typeText    = "text"
	typeBytes   = "bytes"
	typeStart   = "start" // what the rule wrote; never saved
)

// cursor is a place in a query's result: the cursor columns of the last row that was handed over.
type cursor struct {
	Columns []string `json:"by"`
	Start   string   `json:"start,omitempty"` // as the rule wrote it when reading began
	Values  []value  `json:"at"`
}

const maxCursorText = 8 << 10

// encode gives the text under which a cursor is saved.
func (c cursor) encode() (string, error) {
	text, err := json.Marshal(c)
	if err != nil {
		return "", fmt.Errorf("save the cursor: %w", err)
	}
	if len(text) > maxCursorText {
		return "", &diag.Problem{Message: "the cursor column holds texts that are too long to be a cursor",
			Hint: "use a time or a number"}
	}
	return string(text), nil
}

// decodeCursor reads a saved cursor. known is false when there is none, or none that fits the
// query: it was saved for other columns or another start.
func decodeCursor(text string, q Query) (c cursor, known bool, err error) {
	if text == "" {
		return c, false, nil
	}
	if err := json.Unmarshal([]byte(text), &c); err != nil {
		return cursor{}, false, errors.New("the saved cursor cannot be read")
	}
	if !slices.Equal(c.Columns, q.Cursor) || c.Start != q.Start {
		return cursor{}, false, nil
	}
	if len(c.Values) != len(c.Columns) {
		return cursor{}, false, errors.New("the saved cursor cannot be read")
	}
	for _, v := range c.Values {
		if _, err := v.bind(); err != nil {
			return cursor{}, false, err
		}
	}
	return c, true, nil
}

// valueOf makes a cursor value of what a driver gave. number tells that a text is a decimal number.
func valueOf(v any, number bool) (value, error) {
	switch v := v.(type) {
	case time.Time:
		return value{typeTime, v.Format(time.RFC3339Nano)}, nil
	case int64:
		return value{typeInteger, strconv.FormatInt(v, 10)}, nil
	case float64:
		return value{typeFloat, strconv.FormatFloat(v, 'g', -1, 64)}, nil
	case string:
		if _, ok := new(big.Rat).SetString(v); ok && number && len(v) < 100 {
			return value{typeDecimal, v}, nil
		}
		return value{typeText, v}, nil
	case []byte:
		return value{typeBytes, base64.StdEncoding.EncodeToString(v)}, nil
	}
	return value{}, &diag.Problem{Message: fmt.Sprintf("a cursor column holds values that have no order (%T)", v),
		Hint: "use a time, a number or a text"}
}

// bind gives the value as a statement takes it.
func (v value) bind() (any, error) {
	switch v.Type {
	case typeTime:
		if t, err := time.Parse(time.RFC3339Nano, v.Text); err == nil {
			return t, nil
		}
	case typeInteger:
		if n, err := strconv.ParseInt(v.Text, 10, 64); err == nil {
			return n, nil
		}
	case typeFloat:
		if f, err := strconv.ParseFloat(v.Text, 64); err == nil {
			return f, nil
		}
	case typeDecimal, typeText, typeStart:
		return v.Text, nil
	case typeBytes:
		if b, err := base64.StdEncoding.DecodeString(v.Text); err == nil {
			return b, nil
		}
	}
	return nil, errors.New("the saved cursor cannot be read")
}

// before tells whether v comes before w in the order of the database, as far as that can be known here.
func (v value) before(w value) bool {
	if v.Type == typeTime && w.Type == typeTime {
		a, errA := time.Parse(time.RFC3339Nano, v.Text)
		b, errB := time.Parse(time.RFC3339Nano, w.Text)
		return errA == nil && errB == nil && a.Before(b)
	}
	if v.isNumber() && w.isNumber() {
		a, okA := new(big.Rat).SetString(v.Text)
		b, okB := new(big.Rat).SetString(w.Text)
		return okA && okB && a.Cmp(b) < 0
	}
	return v.Text < w.Text
}

func (v value) isNumber() bool {
	return v.Type == typeInteger || v.Type == typeFloat || v.Type == typeDecimal
}

// number gives a text that is a number as one, and any other as it is.
func number(text string) any {
	if n, err := strconv.ParseInt(text, 10, 64); err == nil {
		return n
	}
	if f, err := strconv.ParseFloat(text, 64); err == nil {
		return f
	}
	return text
}

// earlier moves a value back by the overlap. moved is false when nothing is read again.
func (v value) earlier(o Overlap) (_ value, moved bool, err error) {
	switch {
	case o.Time == 0 && o.Number == 0:
		return v, false, nil
	case v.isNumber() && o.Number > 0:
		n, ok := new(big.Rat).SetString(v.Text)
		if !ok || len(v.Text) > 100 {
			return v, false, nil
		}
		n.Sub(n, new(big.Rat).SetInt64(o.Number))
		if v.Type == typeInteger && n.IsInt() {
			return value{typeInteger, n.Num().String()}, n.Num().IsInt64(), nil
		}
		if v.Type == typeFloat {
			f, _ := n.Float64()
			return value{typeFloat, strconv.FormatFloat(f, 'g', -1, 64)}, true, nil
		}
		return value{typeDecimal, n.FloatString(6)}, true, nil
	case v.Type == typeTime && o.Time > 0:
		t, err := time.Parse(time.RFC3339Nano, v.Text)
		if err != nil {
			return v, false, errors.New("the saved cursor cannot be read")
		}
		return value{typeTime, t.Add(-o.Time).Format(time.RFC3339Nano)}, true, nil
	case v.Type == typeText && o.Time > 0:
		if text, ok := earlierText(v.Text, o.Time); ok {
			return value{typeText, text}, true, nil
		}
	}
	if o.Given {
		return v, false, &diag.Problem{Message: "the overlap does not fit the cursor column",
			Hint: "a length of time is for times, a number for numbers; leave overlap out where late commits cannot happen"}
	}
	return v, false, nil
}

// timeTexts are the forms in which databases without a type for times keep them. Each sorts as the times do.
var timeTexts = []string{"2006-01-02T15:04:05Z07:00", "2006-01-02 15:04:05Z07:00", "2006-01-02T15:04:05",
	"2006-01-02 15:04:05", "2006-01-02"}

// earlierText moves a time kept as text back, in the form that it has. A second more keeps texts
// with and without fractions in order.
func earlierText(text string, by time.Duration) (string, bool) {
	for _, layout := range timeTexts {
		t, err := time.Parse(layout, strings.TrimSpace(text))
		if err == nil {
			return t.Add(-by - time.Second).Format(layout), true
		}
	}
	return "", false
}
