package rules

import (
	"crypto/sha256"
	"encoding/base32"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"
	"time"
)

// contentHash names a record by its content: equal content gives an equal name, whatever the order of its fields.
func contentHash(body any) string {
	h := hashers.Get().(*hasher)
	h.out = h.out[:0]
	h.value(body)
	sum := sha256.Sum256(h.out)
	hashers.Put(h)
	return strings.ToLower(base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(sum[:20]))
}

// hasher writes values so that no two different ones are written alike: every value begins with its kind and length.
type hasher struct {
	out  []byte
	keys []string
}

var hashers = sync.Pool{New: func() any { return &hasher{} }}

func (h *hasher) head(kind byte, n uint64) {
	h.out = binary.AppendUvarint(append(h.out, kind), n)
}

func (h *hasher) text(kind byte, s string) {
	h.head(kind, uint64(len(s)))
	h.out = append(h.out, s...)
}

func (h *hasher) value(v any) {
	switch v := v.(type) {
	case nil:
		h.head('0', 0)
	case string:
		h.text('s', v)
	case bool:
		if v {
			h.head('b', 1)
		} else {
			h.head('b', 0)
		}
	case float64:
		h.number(v)
	case int:
		h.number(float64(v))
	case int64:
		h.number(float64(v))
	case json.Number:
		if f, err := v.Float64(); err == nil {
			h.number(f)
		} else {
			h.text('n', v.String())
		}
	case time.Time:
		h.text('t', v.UTC().Format(time.RFC3339Nano))
	case []any:
		h.head('l', uint64(len(v)))
		for _, item := range v {
			h.value(item)
		}
	case map[string]any:
		h.object(v)
	default:
		// Sources decode into the kinds above; whatever else they hand over is known by what it prints as.
		h.text('?', fmt.Sprintf("%T %v", v, v))
	}
}

func (h *hasher) number(f float64) { h.head('f', math.Float64bits(f)) }

func (h *hasher) object(m map[string]any) {
	h.head('o', uint64(len(m)))
	first := len(h.keys)
	for k := range m {
		h.keys = append(h.keys, k)
	}
	last := len(h.keys)
	slices.Sort(h.keys[first:last])
	for i := first; i < last; i++ {
		k := h.keys[i]
		h.text('k', k)
		h.value(m[k])
	}
	h.keys = h.keys[:first]
}
