// Package plain tells of values as JSON has them: texts, numbers, yes and no, lists and objects.
package plain

import (
	"strconv"
	"strings"
)

// Text gives a value as it is compared with what a record says; false for lists, objects and nothing.
func Text(v any) (string, bool) {
	switch v := v.(type) {
	case string:
		return strings.TrimSpace(v), true
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64), true
	case bool:
		return strconv.FormatBool(v), true
	}
	return "", false
}

// What values take in memory, besides the text of strings: headers and slots of maps and lists.
const (
	sizeOfValue = 16
	sizeOfEntry = 48
)

// Size tells about how many bytes of memory a decoded value takes.
func Size(v any) int64 {
	switch v := v.(type) {
	case string:
		return sizeOfValue + int64(len(v))
	case []any:
		n := int64(sizeOfValue)
		for _, item := range v {
			n += sizeOfValue + Size(item)
		}
		return n
	case map[string]any:
		n := int64(sizeOfEntry)
		for name, in := range v {
			n += sizeOfEntry + int64(len(name)) + Size(in)
		}
		return n
	}
	return sizeOfValue
}
