package store

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sort"
	"time"

	"github.com/culvert/culvert/actions/dhis2/sandbox/catalog"
)

// The state file is a log: one JSON object a line, {"k": kind, "o": object as it is now}; a later
// line about an object replaces an earlier one. What one request changed is written with one call
// before the request is answered. The log is rewritten in short form at every start.
const stateHeader = `{"culvert-sandbox":1}`

type stateLog struct {
	file  *os.File
	path  string
	dirty []stateLine
	seen  map[any]int // where in dirty an object is: only its last form is written
}

type stateLine struct {
	Kind   string `json:"k"`
	Object any    `json:"o"`
}

// note remembers that an object changed; a store without a file has a nil log.
func (l *stateLog) note(o any) {
	if l == nil {
		return
	}
	if _, ok := l.seen[o]; ok {
		return
	}
	l.seen[o] = len(l.dirty)
	l.dirty = append(l.dirty, stateLine{kindOf(o), o})
}

// flush writes what changed. Call it at the end of every change, with the store locked.
func (l *stateLog) flush() error {
	if l == nil || len(l.dirty) == 0 {
		return nil
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	for _, line := range l.dirty {
		if err := e.Encode(line); err != nil {
			return fmt.Errorf("sandbox: encoding the state: %w", err)
		}
	}
	l.dirty = l.dirty[:0]
	clear(l.seen)
	if _, err := l.file.Write(b.Bytes()); err != nil {
		return fmt.Errorf("sandbox: writing the state to %s: %w; make room on the disk", l.path, err)
	}
	return nil
}

// Open reads the state of a file, if there is one, and goes on writing to it.
func Open(c *catalog.Catalog, path string, now func() time.Time) (*Store, error) {
	st := New(c, now)
	if path == "" {
		return st, nil
	}
	if err := st.read(path); err != nil {
		return nil, err
	}
	st.reindex()
	f, err := st.rewrite(path)
	if err != nil {
		return nil, err
	}
	st.state = &stateLog{file: f, path: path, seen: map[any]int{}}
	return st, nil
}

func (st *Store) read(path string) error {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("sandbox: reading the state: %w", err)
	}
	defer f.Close()
	r := bufio.NewReaderSize(f, 1<<20)
	for n := 1; ; n++ {
		line, err := r.ReadBytes('\n')
		if err == io.EOF {
			return nil // what follows the last newline was cut off by a kill and was never acknowledged
		}
		if err != nil {
			return fmt.Errorf("sandbox: reading the state: %w", err)
		}
		if n == 1 {
			if !bytes.Equal(bytes.TrimSpace(line), []byte(stateHeader)) {
				return fmt.Errorf("sandbox: %s is not a state file of the sandbox: give another --state, or move that file away",
					path)
			}
			continue
		}
		if err := st.replay(line); err != nil {
			return fmt.Errorf("sandbox: %s:%d: the state is damaged: %w; move the file away to start empty", path, n, err)
		}
	}
}

func (st *Store) replay(line []byte) error {
	var l struct {
		Kind   string          `json:"k"`
		Object json.RawMessage `json:"o"`
	}
	if err := json.Unmarshal(line, &l); err != nil {
		return err
	}
	into := map[string]any{"te": &TrackedEntity{}, "en": &Enrollment{}, "ev": &Event{}, "re": &Relationship{},
		"dv": &DataValue{}, "co": &Completion{}, "to": &TokenState{}, "fi": &FileResource{}, "pd": &DuplicatePair{},
		"md": &catalog.Change{}, "kv": &KeyValue{}}[l.Kind]
	if into == nil {
		return fmt.Errorf("unknown kind %q", l.Kind)
	}
	if err := json.Unmarshal(l.Object, into); err != nil {
		return err
	}
	switch o := into.(type) {
	case *TrackedEntity:
		st.saw(o.Seq)
		if old := st.Entities[o.UID]; old != nil {
			st.live.TrackedEntities += lives(o.Deleted) - lives(old.Deleted)
			*old = *o
			return nil
		}
		st.PutEntity(o)
	case *Enrollment:
		st.saw(o.Seq)
		if old := st.Enrollments[o.UID]; old != nil {
			st.live.Enrollments += lives(o.Deleted) - lives(old.Deleted)
			*old = *o
			return nil
		}
		st.PutEnrollment(o)
	case *Event:
		st.saw(o.Seq)
		if old := st.Events[o.UID]; old != nil {
			st.live.Events += lives(o.Deleted) - lives(old.Deleted)
			*old = *o
			return nil
		}
		st.PutEvent(o)
	case *Relationship:
		st.saw(o.Seq)
		if old := st.Relationships[o.UID]; old != nil {
			st.live.Relationships += lives(o.Deleted) - lives(old.Deleted)
			*old = *o
			return nil
		}
		st.PutRelationship(o)
	case *DataValue:
		st.saw(o.Seq)
		st.PutValue(o)
	case *Completion:
		st.saw(o.Seq)
		st.PutCompletion(o)
	case *TokenState:
		st.Tokens[o.Token] = o
	case *FileResource:
		st.PutFile(o)
	case *KeyValue:
		st.PutKey(o)
	case *catalog.Change:
		st.Metadata[o.UID] = o
	case *DuplicatePair:
		st.saw(o.Seq)
		st.PutPair(o)
	}
	return nil
}

func (st *Store) saw(seq int64) { st.sequel = max(st.sequel, seq) }

func lives(deleted bool) int {
	if deleted {
		return 0
	}
	return 1
}

// each gives every object in an order that puts parents before children.
func (st *Store) each(f func(kind string, o any) error) error {
	for _, o := range st.EntityOrder {
		if err := f("te", o); err != nil {
			return err
		}
	}
	for _, o := range st.EnrollOrder {
		if err := f("en", o); err != nil {
			return err
		}
	}
	for _, o := range st.EventOrder {
		if err := f("ev", o); err != nil {
			return err
		}
	}
	for _, o := range st.relationOrder {
		if err := f("re", o); err != nil {
			return err
		}
	}
	for _, o := range st.sortedValues() {
		if err := f("dv", o); err != nil {
			return err
		}
	}
	for _, o := range st.Completions {
		if err := f("co", o); err != nil {
			return err
		}
	}
	for _, o := range st.Files {
		if err := f("fi", o); err != nil {
			return err
		}
	}
	for _, o := range st.Keys {
		if err := f("kv", o); err != nil {
			return err
		}
	}
	for _, o := range st.Pairs {
		if err := f("pd", o); err != nil {
			return err
		}
	}
	return nil
}

func (st *Store) sortedValues() []*DataValue {
	out := make([]*DataValue, 0, len(st.Values))
	for _, v := range st.Values {
		out = append(out, v)
	}
	sort.Slice(out, func(i, j int) bool { return out[i].Seq < out[j].Seq })
	return out
}

// rewrite puts the state in its short form in place of the file, never leaving half a file behind,
// and gives it open for appending.
func (st *Store) rewrite(path string) (*os.File, error) {
	fail := func(err error) (*os.File, error) {
		return nil, fmt.Errorf("sandbox: writing the state: %w; give --state a place that can be written", err)
	}
	tmp, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".new-*")
	if err != nil {
		return fail(err)
	}
	defer os.Remove(tmp.Name())
	w := bufio.NewWriterSize(tmp, 1<<20)
	_, _ = w.WriteString(stateHeader + "\n") // an error stays in the writer and comes out of Flush
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	err = st.each(func(kind string, o any) error { return e.Encode(stateLine{kind, o}) })
	for _, o := range st.MetadataChanges() {
		err = errors.Join(err, e.Encode(stateLine{"md", o}))
	}
	for _, given := range st.Tokens {
		err = errors.Join(err, e.Encode(stateLine{"to", given}))
	}
	if err = errors.Join(err, w.Flush(), tmp.Sync(), tmp.Close()); err != nil {
		return fail(err)
	}
	if err := os.Rename(tmp.Name(), path); err != nil {
		return fail(err)
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return fail(err)
	}
	return f, nil
}

// Close locks by itself.
func (st *Store) Close() error {
	st.Lock()
	defer st.Unlock()
	if st.state == nil {
		return nil
	}
	err := errors.Join(st.state.flush(), st.state.file.Sync(), st.state.file.Close())
	st.state = nil
	return err
}

// Dump gives the live data in a canonical form: sorted, without times, users and places in the
// order. It locks by itself.
func (st *Store) Dump() []byte {
	st.RLock()
	defer st.RUnlock()
	lines := []string{}
	_ = st.each(func(kind string, o any) error { // never fails: every object can be encoded
		b, err := json.Marshal(o)
		if err != nil {
			return err
		}
		m := map[string]any{}
		if err := json.Unmarshal(b, &m); err != nil {
			return err
		}
		if m["deleted"] == true {
			return nil
		}
		m["kind"] = kind
		b, err = json.Marshal(timeless(m))
		lines = append(lines, string(b))
		return err
	})
	sort.Strings(lines)
	var b bytes.Buffer
	for _, l := range lines {
		b.WriteString(l)
		b.WriteByte('\n')
	}
	return b.Bytes()
}

// passing are the fields that differ between two runs that did the same.
var passing = catalog.SetOf([]string{"created", "updated", "createdBy", "updatedBy", "storedAt", "storedBy", "by",
	"seq", "completedBy", "createdAtClient", "updatedAtClient"})

func timeless(v any) any {
	switch x := v.(type) {
	case map[string]any:
		for k, it := range x {
			if passing[k] {
				delete(x, k)
				continue
			}
			x[k] = timeless(it)
		}
	case []any:
		for i := range x {
			x[i] = timeless(x[i])
		}
		sort.Slice(x, func(i, j int) bool {
			a, _ := json.Marshal(x[i])
			b, _ := json.Marshal(x[j])
			return bytes.Compare(a, b) < 0
		})
	}
	return v
}

// Keep remembers that an object is new or changed, so that it is written to the state.
func (st *Store) Keep(o any) { st.state.note(o) }

// Flush writes what changed to the state. Call it at the end of every change.
func (st *Store) Flush() error { return st.state.flush() }

// kindOf is what the log calls an object.
func kindOf(o any) string {
	switch o.(type) {
	case *TrackedEntity:
		return "te"
	case *Enrollment:
		return "en"
	case *Event:
		return "ev"
	case *Relationship:
		return "re"
	case *DataValue:
		return "dv"
	case *Completion:
		return "co"
	case *TokenState:
		return "to"
	case *FileResource:
		return "fi"
	case *DuplicatePair:
		return "pd"
	case *catalog.Change:
		return "md"
	}
	return "kv"
}
