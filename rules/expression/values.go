package expression

import (
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/culvert/culvert/rules/dateformat"
)

// IsBlank tells whether a value counts as no answer: nil, empty text, text of spaces only, "---"
// (what CommCare's exports write for a question that was not asked), an empty list.
func IsBlank(v any) bool {
	switch v := v.(type) {
	case nil:
		return true
	case string:
		return v == "" || isBlankText(v)
	case bool, int, float64, time.Time:
		return false
	case []any:
		return len(v) == 0
	}
	r := reflect.ValueOf(v)
	switch r.Kind() {
	case reflect.Pointer, reflect.Interface:
		return r.IsNil()
	case reflect.Slice, reflect.Array:
		return r.Len() == 0
	case reflect.Map:
		return r.IsNil()
	}
	return false
}

func isBlankText(s string) bool {
	s = strings.TrimSpace(s)
	return s == "" || s == "---"
}

// AsText writes a value as text, the way expressions and conversions do: numbers without exponent
// and without needless zeros, yes/no as true and false, dates as 2006-01-02 when they are the start
// of a day and else as 2006-01-02T15:04:05.000-07:00 (Z in UTC). A blank is "". Lists and objects
// are JSON.
func AsText(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case string:
		if isBlankText(v) {
			return ""
		}
		return v
	case bool:
		return strconv.FormatBool(v)
	case int:
		return strconv.Itoa(v)
	case float64:
		if v == math.Trunc(v) && math.Abs(v) < 1e15 {
			return strconv.FormatInt(int64(v), 10)
		}
		return strconv.FormatFloat(v, 'f', -1, 64)
	case time.Time:
		if isStartOfDay(v) {
			return v.Format(time.DateOnly)
		}
		return v.Format("2006-01-02T15:04:05.000Z07:00")
	}
	if n := normal(v, time.UTC); kindOf(n)&kPlain != 0 {
		return AsText(n)
	}
	if IsBlank(v) {
		return ""
	}
	b, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprint(v)
	}
	return string(b)
}

// isStartOfDay is also true of days that begin at one o'clock, because clocks were put forward at midnight.
func isStartOfDay(t time.Time) bool {
	if h, m, s := t.Clock(); h > 1 || m != 0 || s != 0 || t.Nanosecond() != 0 {
		return false
	}
	return t.Equal(startOfDay(t))
}

// normal turns what sources and other packages deliver into what expressions compute with: string,
// int, float64, bool, time.Time, lists and objects. A time at midnight UTC is a date without a zone
// (that is how databases and workbooks deliver dates) and becomes that day in the zone; any other
// time is shown in the zone.
func normal(v any, zone *time.Location) any {
	switch v := v.(type) {
	case nil, string, bool, int, float64, []any, map[string]any:
		return v
	case time.Time:
		if v.Location() == time.UTC && v.Equal(v.Truncate(24*time.Hour)) {
			return dateformat.DayStart(v.Year(), v.Month(), v.Day(), zone)
		}
		return v.In(zone)
	case *time.Time:
		if v == nil {
			return nil
		}
		return normal(*v, zone)
	case json.Number:
		if n, err := strconv.Atoi(v.String()); err == nil {
			return n
		}
		if f, err := v.Float64(); err == nil {
			return f
		}
		return v.String()
	case []byte:
		return string(v)
	}
	r := reflect.ValueOf(v)
	switch r.Kind() {
	case reflect.Pointer:
		if r.IsNil() {
			return nil
		}
		if k := r.Elem().Kind(); k != reflect.Struct {
			return normal(r.Elem().Interface(), zone)
		}
	case reflect.String:
		return r.String()
	case reflect.Bool:
		return r.Bool()
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return int(r.Int())
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		if r.Uint() > math.MaxInt {
			return float64(r.Uint())
		}
		return int(r.Uint())
	case reflect.Float32, reflect.Float64:
		return r.Float()
	case reflect.Slice, reflect.Map:
		if r.IsNil() {
			return nil
		}
	}
	return v
}

// kindOf gives the type of a normal value; kBlank for nil.
func kindOf(v any) kind {
	switch v.(type) {
	case nil:
		return kBlank
	case string:
		return kText
	case int, float64:
		return kNumber
	case bool:
		return kBool
	case time.Time:
		return kDate
	case []any:
		return kList
	case map[string]any:
		return kObject
	}
	switch reflect.ValueOf(v).Kind() {
	case reflect.Slice, reflect.Array:
		return kList
	}
	return kObject
}

// member reads a field of an object or an item of a list. What is not there is nil; so is any
// member of a blank. An object read by a number is a list of one: that is what a repeat group with
// one repetition looks like.
func member(from, key any, zone *time.Location) (any, error) {
	name, byName := key.(string)
	switch from := from.(type) {
	case nil:
		return nil, nil
	case map[string]any:
		if byName {
			return normal(from[name], zone), nil
		}
	case []any:
		if i, ok := key.(int); ok {
			return normal(at(from, i), zone), nil
		}
	case string:
		if isBlankText(from) {
			return nil, nil
		}
	}
	if IsBlank(from) || key == nil {
		return nil, nil
	}
	r := reflect.ValueOf(from)
	for r.Kind() == reflect.Pointer {
		r = r.Elem()
	}
	i, byNumber := key.(int)
	switch {
	case byName && r.Kind() == reflect.Struct && kindOf(from) == kObject:
		if index, ok := fieldIndex(r.Type())[name]; ok {
			return normal(r.Field(index).Interface(), zone), nil
		}
		return nil, nil
	case byName && r.Kind() == reflect.Map && r.Type().Key().Kind() == reflect.String:
		if v := r.MapIndex(reflect.ValueOf(name).Convert(r.Type().Key())); v.IsValid() {
			return normal(v.Interface(), zone), nil
		}
		return nil, nil
	case byNumber && (r.Kind() == reflect.Slice || r.Kind() == reflect.Array):
		if i < 0 {
			i += r.Len()
		}
		if i < 0 || i >= r.Len() {
			return nil, nil
		}
		return normal(r.Index(i).Interface(), zone), nil
	case byNumber && kindOf(from) == kObject:
		if i == 0 || i == -1 {
			return from, nil
		}
		return nil, nil
	case byName:
		return nil, fail(CodeWrongType, fmt.Sprintf("a field is read from %s", kindOf(from).article()),
			"only an object has fields; of a list, use first(...), an index such as [0], or for_each")
	}
	return nil, fail(CodeWrongType, fmt.Sprintf("an item is read from %s", kindOf(from).article()),
		"only a list has items")
}

// at is the i-th item, from the end when negative; nil when there is none.
func at(list []any, i int) any {
	if i < 0 {
		i += len(list)
	}
	if i < 0 || i >= len(list) {
		return nil
	}
	return list[i]
}

// fieldIndexes remembers where the fields of struct types are. It only ever repeats what the types themselves say.
var fieldIndexes sync.Map

func fieldIndex(t reflect.Type) map[string]int {
	if known, ok := fieldIndexes.Load(t); ok {
		return known.(map[string]int)
	}
	index := map[string]int{}
	for f := range structFields(t) {
		index[f.name] = f.index
	}
	known, _ := fieldIndexes.LoadOrStore(t, index)
	return known.(map[string]int)
}

// asList makes a list of any value: nothing of a blank, one item of an object, the items of a list.
func asList(v any, zone *time.Location) ([]any, error) {
	if IsBlank(v) {
		return nil, nil
	}
	if list, ok := v.([]any); ok {
		return list, nil
	}
	switch kindOf(v) {
	case kObject:
		return []any{v}, nil
	case kList:
		r := reflect.ValueOf(v)
		list := make([]any, r.Len())
		for i := range list {
			list[i] = normal(r.Index(i).Interface(), zone)
		}
		return list, nil
	}
	return nil, fail(CodeWrongType, fmt.Sprintf("a list is needed, and this is %s", kindOf(v).article()),
		`split(...) makes a list of a text`)
}
