package sandbox

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
)

// The state file is a log: one JSON object a line, {"k": kind, "o": object as it is now}; a later line about an object replaces an earlier one.
// What one request changed is written with one call before the request is answered. The log is rewritten in short form at every start.
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
func (l *stateLog) note(kind string, o any) {
	if l == nil {
		return
	}
	if _, ok := l.seen[o]; ok {
		return
	}
	l.seen[o] = len(l.dirty)
	l.dirty = append(l.dirty, stateLine{kind, o})
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

// openStore reads the state of a file, if there is one, and goes on writing to it.
func openStore(c *catalog, path string, now func() time.Time) (*store, error) {
	st := newStore(c, now)
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

func (st *store) read(path string) error {
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
				return fmt.Errorf("sandbox: %s is not a state file of the sandbox: give another --state, or move that file away", path)
			}
			continue
		}
		if err := st.replay(line); err != nil {
			return fmt.Errorf("sandbox: %s:%d: the state is damaged: %w; move the file away to start empty", path, n, err)
		}
	}
}

func (st *store) replay(line []byte) error {
	var l struct {
		Kind   string          `json:"k"`
		Object json.RawMessage `json:"o"`
	}
	if err := json.Unmarshal(line, &l); err != nil {
		return err
	}
	into := map[string]any{"te": &trackedEntity{}, "en": &enrollment{}, "ev": &event{}, "re": &relationship{}, "dv": &dataValue{}, "co": &completion{}, "to": &tokenState{}, "fi": &fileResource{}, "pd": &duplicatePair{}, "md": &metadataChange{}, "kv": &keyValue{}}[l.Kind]
	if into == nil {
		return fmt.Errorf("unknown kind %q", l.Kind)
	}
	if err := json.Unmarshal(l.Object, into); err != nil {
		return err
	}
	switch o := into.(type) {
	case *trackedEntity:
		st.saw(o.Seq)
		if old := st.entities[o.UID]; old != nil {
			st.live.TrackedEntities += lives(o.Deleted) - lives(old.Deleted)
			*old = *o
			return nil
		}
		st.putEntity(o)
	case *enrollment:
		st.saw(o.Seq)
		if old := st.enrollments[o.UID]; old != nil {
			st.live.Enrollments += lives(o.Deleted) - lives(old.Deleted)
			*old = *o
			return nil
		}
		st.putEnrollment(o)
	case *event:
		st.saw(o.Seq)
		if old := st.events[o.UID]; old != nil {
			st.live.Events += lives(o.Deleted) - lives(old.Deleted)
			*old = *o
			return nil
		}
		st.putEvent(o)
	case *relationship:
		st.saw(o.Seq)
		if old := st.relationships[o.UID]; old != nil {
			st.live.Relationships += lives(o.Deleted) - lives(old.Deleted)
			*old = *o
			return nil
		}
		st.putRelationship(o)
	case *dataValue:
		st.saw(o.Seq)
		st.putValue(o)
	case *completion:
		st.saw(o.Seq)
		st.putCompletion(o)
	case *tokenState:
		st.tokens[o.Token] = o
	case *fileResource:
		st.putFile(o)
	case *keyValue:
		st.putKey(o)
	case *metadataChange:
		st.metadata[o.UID] = o
	case *duplicatePair:
		st.saw(o.Seq)
		st.putPair(o)
	}
	return nil
}

func (st *store) saw(seq int64) { st.sequel = max(st.sequel, seq) }

func lives(deleted bool) int {
	if deleted {
		return 0
	}
	return 1
}

// each gives every object in an order that puts parents before children.
func (st *store) each(f func(kind string, o any) error) error {
	for _, o := range st.entityOrder {
		if err := f("te", o); err != nil {
			return err
		}
	}
	for _, o := range st.enrollOrder {
		if err := f("en", o); err != nil {
			return err
		}
	}
	for _, o := range st.eventOrder {
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
	for _, o := range st.completions {
		if err := f("co", o); err != nil {
			return err
		}
	}
	for _, o := range st.files {
		if err := f("fi", o); err != nil {
			return err
		}
	}
	for _, o := range st.keys {
		if err := f("kv", o); err != nil {
			return err
		}
	}
	for _, o := range st.pairs {
		if err := f("pd", o); err != nil {
			return err
		}
	}
	return nil
}

func (st *store) sortedValues() []*dataValue {
	out := make([]*dataValue, 0, len(st.values))
	for _, v := range st.values {
		out = append(out, v)
	}
	sort.Slice(out, func(i, j int) bool { return out[i].Seq < out[j].Seq })
	return out
}

// rewrite puts the state in its short form in place of the file, never leaving half a file behind, and gives it open for appending.
func (st *store) rewrite(path string) (*os.File, error) {
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
	for _, o := range st.changed() {
		err = errors.Join(err, e.Encode(stateLine{"md", o}))
	}
	for _, given := range st.tokens {
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

// close locks by itself.
func (st *store) close() error {
	st.mu.Lock()
	defer st.mu.Unlock()
	if st.state == nil {
		return nil
	}
	err := errors.Join(st.state.flush(), st.state.file.Sync(), st.state.file.Close())
	st.state = nil
	return err
}

// dump gives the live data in a canonical form: sorted, without times, users and places in the order. It locks by itself.
func (st *store) dump() []byte {
	st.mu.RLock()
	defer st.mu.RUnlock()
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
var passing = setOf([]string{"created", "updated", "createdBy", "updatedBy", "storedAt", "storedBy", "by", "seq", "completedBy", "createdAtClient", "updatedAtClient"})

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
