package codec

import (
	"cmp"
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/culvert/culvert/engine/journal"
	"github.com/culvert/culvert/rules/diag"
	"github.com/culvert/culvert/sources"
)

// Origin gives what is stored of where a record came from.
func (s *Sealer) Origin(ident int64, o sources.Origin) ([]byte, error) {
	text, err := json.Marshal(o)
	if err != nil {
		return nil, fmt.Errorf("encode where the record came from: %w", err)
	}
	return s.Seal(PurposeOrigin, ident, text), nil
}

// OpenOrigin reads what Origin stored.
func (s *Sealer) OpenOrigin(ident int64, stored []byte) (sources.Origin, error) {
	var o sources.Origin
	text, err := s.Open(PurposeOrigin, ident, stored)
	if err != nil || len(text) == 0 {
		return o, err
	}
	if err := json.Unmarshal(text, &o); err != nil {
		return o, fmt.Errorf("read where a record came from: %w", err)
	}
	return o, nil
}

// private is the part of a problem that may hold data of a person.
type private struct {
	Detail  string        `json:"detail,omitempty"`
	Column  string        `json:"column,omitempty"`
	Value   string        `json:"value,omitempty"`
	Objects []string      `json:"objects,omitempty"`
	More    []storedFault `json:"more,omitempty"`
}

// storedFault is a fault as it is kept. Journals up to format 10 call the hint "mend".
type storedFault struct {
	diag.Problem
	Mend string `json:"mend,omitempty"`
}

func storeFaults(faults []diag.Problem) []storedFault {
	var out []storedFault
	for _, f := range faults {
		out = append(out, storedFault{Problem: f})
	}
	return out
}

func readFaults(stored []storedFault) []diag.Problem {
	var out []diag.Problem
	for _, f := range stored {
		f.Hint = cmp.Or(f.Hint, f.Mend)
		out = append(out, f.Problem)
	}
	return out
}

// Private gives what is stored of the part of a problem that may hold data; nil when there is none.
func (s *Sealer) Private(ident int64, p *journal.Problem) ([]byte, error) {
	if p == nil || p.Detail == "" && p.Value == "" && p.Column == "" && len(p.Objects) == 0 && len(p.More) == 0 {
		return nil, nil
	}
	text, err := json.Marshal(private{Detail: p.Detail, Column: p.Column, Value: p.Value, Objects: p.Objects,
		More: storeFaults(p.More)})
	if err != nil {
		return nil, fmt.Errorf("encode a problem: %w", err)
	}
	return s.Seal(PurposeProblem, ident, text), nil
}

// OpenPrivate fills a problem with what Private stored.
func (s *Sealer) OpenPrivate(ident int64, stored []byte, p *journal.Problem) error {
	text, err := s.Open(PurposeProblem, ident, stored)
	if err != nil || len(text) == 0 {
		return err
	}
	var v private
	if err := json.Unmarshal(text, &v); err != nil {
		return fmt.Errorf("read a problem: %w", err)
	}
	p.Detail, p.Column, p.Value, p.Objects, p.More = v.Detail, v.Column, v.Value, v.Objects, readFaults(v.More)
	return nil
}

// Objects joins object ids for storing; SplitObjects takes them apart. Ids of DHIS2 hold no line breaks.
func Objects(ids []string) string { return strings.Join(ids, "\n") }

// SplitObjects takes apart what Objects joined.
func SplitObjects(text string) []string {
	if text == "" {
		return nil
	}
	return strings.Split(text, "\n")
}

// Micros is how times are stored: microseconds since 1970, 0 for the zero time.
func Micros(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

// Time reads what Micros stored.
func Time(micros int64) time.Time {
	if micros == 0 {
		return time.Time{}
	}
	return time.UnixMicro(micros).UTC()
}

// Number gives a contribution's value as a number, nil when it is none.
func Number(value string) *float64 {
	n, err := strconv.ParseFloat(strings.TrimSpace(value), 64)
	if err != nil || math.IsNaN(n) || math.IsInf(n, 0) {
		return nil
	}
	return &n
}
