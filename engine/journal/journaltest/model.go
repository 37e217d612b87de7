package journaltest

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/culvert/culvert/actions"
	"github.com/culvert/culvert/engine/journal"
	"github.com/culvert/culvert/rules/diag"
	"github.com/culvert/culvert/sources"
)

// Model drives a store and a model of it with the same random operations and compares what they say after each.
func Model(t *testing.T, fresh func(t *testing.T) Place) {
	rapid.Check(t, func(rt *rapid.T) {
		m := newMachine(t, rt, fresh(t))
		defer func() { m.ok(m.j.Close()) }()
		rt.Repeat(map[string]func(*rapid.T){
			"":          m.compare,
			"append":    m.append,
			"claim":     m.claim,
			"release":   m.release,
			"settle":    m.settle,
			"file":      m.file,
			"take keys": m.takeKeys,
			"free keys": m.freeKeys,
			"hold":      m.hold,
			"unhold":    m.unhold,
			"identify":  m.identify,
			"replay":    m.replay,
			"dismiss":   m.dismiss,
			"correct":   m.correct,
			"forget":    m.forget,
			"expire":    m.expire,
			"notify":    m.notify,
			"wait":      m.wait,
			"restart":   m.restart,
		})
	})
}

// known is what the model knows of a record.
type known struct {
	seq               int64
	rule, id, key     string
	content           uint64
	state             journal.State
	next              time.Time
	received, touched time.Time
	attempts          int
	code              string
	force, edited     bool
	notify, told      bool // its source wants to know of its outcome, and does
	body              string
	claimed           string // owner
	waits             bool   // for its parent

	version, rank, by int64
}

func (k *known) order() actions.Order {
	if k.rank != 0 {
		return actions.Order{Version: k.version, Seq: k.rank}
	}
	return actions.Order{Version: k.version, Seq: k.seq}
}

func (k *known) unsettled() bool { return k.state == journal.Pending || k.state == journal.Held }

// shown is what can be seen of a record.
func (k known) shown() known {
	k.waits = false
	return k
}

type machine struct {
	t       *testing.T
	rt      *rapid.T
	place   Place
	j       journal.Journal
	at      time.Time
	clock   atomic.Int64 // at in nanoseconds, for the store's own goroutines
	records []*known     // by seq
	kept    []keptPlace  // places of file rows that are not records yet
	last    int64        // the last place that was given out
	files   int
	unknown int               // records kept without an id
	keys    map[string]string // taken keys of file rows: owner
	digests map[string]actions.Digest
	cursor  string
}

func newMachine(t *testing.T, rt *rapid.T, p Place) *machine {
	m := &machine{t: t, rt: rt, place: p, at: start, keys: map[string]string{}, digests: map[string]actions.Digest{}}
	m.open()
	return m
}

func (m *machine) open() {
	m.clock.Store(m.at.UnixNano())
	m.j = m.place.Open(m.t, journal.Options{Lease: time.Hour,
		Now: func() time.Time { return time.Unix(0, m.clock.Load()).In(start.Location()) }})
}

func (m *machine) ok(err error) {
	if err != nil {
		m.rt.Fatal(err)
	}
}

func (m *machine) same(what string, got, want any) {
	if d := gocmp.Diff(want, got, cmpopts.EquateEmpty(), gocmp.AllowUnexported(known{})); d != "" {
		m.rt.Fatalf("%s (-model +store):\n%s", what, d)
	}
}

func (m *machine) ctx() context.Context { return m.t.Context() }

var (
	rulesOf  = rapid.SampledFrom([]string{"anc", "pnc"})
	keysOf   = rapid.SampledFrom([]string{"key-aa", "key-bb", "key-cc"})
	ownersOf = rapid.SampledFrom([]string{"one", "two"})
)

func (m *machine) draw(rt *rapid.T, state journal.State) *journal.Record {
	r := &journal.Record{
		Rule: rulesOf.Draw(rt, "rule"), ID: name("id-", rapid.IntRange(0, 5).Draw(rt, "id")), Key: keysOf.Draw(rt, "key"),
		Content: rapid.Uint64Range(1, 2).Draw(rt, "content"), State: state, Received: m.at,
		Origin: sources.Origin{Trigger: "webhook"},
		Notify: rapid.Bool().Draw(rt, "notify"), Version: rapid.SampledFrom([]int64{0, 0, 2, 3, 4, 5}).Draw(rt, "version"),
		Rank: rapid.SampledFrom([]int64{0, 0, 0, 1}).Draw(rt, "rank"),
	}
	r.Body = fmt.Appendf(nil, `{"content":%d}`, r.Content)
	if rapid.IntRange(0, 5).Draw(rt, "without an id") == 0 {
		m.unknown++
		r.ID = name("unknown-", m.unknown)
		r.Key = r.ID
	}
	return r
}

func (m *machine) keep(r *journal.Record) {
	m.last = max(m.last, r.Seq)
	k := &known{seq: r.Seq, rule: r.Rule, id: r.ID, key: r.Key, content: r.Content, state: r.State, received: r.Received,
		touched: m.at, notify: r.Notify,
		body: string(r.Body), waits: waits(r.State, r.Problem), version: r.Version, rank: r.Rank, by: r.SupersededBy}
	if r.Problem != nil {
		k.code = r.Problem.Code
	}
	at, _ := slices.BinarySearchFunc(m.records, k, func(a, b *known) int { return cmp.Compare(a.seq, b.seq) })
	m.records = slices.Insert(m.records, at, k)
}

func (m *machine) append(rt *rapid.T) {
	var records []*journal.Record
	var want []bool
	latest := map[string]uint64{}
	for _, k := range m.records {
		latest[k.rule+"/"+k.id] = k.content
	}
	for range rapid.IntRange(1, 4).Draw(rt, "records") {
		r := m.draw(rt, rapid.SampledFrom([]journal.State{journal.Pending, journal.Pending, journal.Held, journal.Skipped,
			journal.Failed}).Draw(rt, "state"))
		want = append(want, latest[r.Rule+"/"+r.ID] == r.Content)
		latest[r.Rule+"/"+r.ID] = r.Content
		records = append(records, r)
	}
	m.cursor = rapid.StringMatching(`[a-z]{0,3}`).Draw(rt, "cursor")
	got, err := m.j.Append(m.ctx(), records, &sources.Cursor{Name: "c", Value: m.cursor})
	m.ok(err)
	m.same("duplicates", got, want)
	last := m.last
	for i, r := range records {
		if want[i] {
			continue
		}
		if r.Seq <= last {
			m.rt.Fatalf("seq %d comes after %d", r.Seq, last)
		}
		last = r.Seq
		m.keep(r)
	}
}

func (m *machine) claim(rt *rapid.T) {
	c := journal.Claim{Owner: ownersOf.Draw(rt, "owner"), Limit: rapid.IntRange(1, 5).Draw(rt, "limit"), Now: m.at}
	if rapid.IntRange(0, 3).Draw(rt, "leave a rule out") == 0 {
		c.NotRules = []string{rulesOf.Draw(rt, "rule")}
	}
	if len(m.records) > 0 && rapid.IntRange(0, 3).Draw(rt, "go on") == 0 {
		c.AfterSeq = rapid.SampledFrom(m.records).Draw(rt, "after").seq
	}
	if rapid.IntRange(0, 3).Draw(rt, "bound bytes") == 0 {
		c.Bytes = rapid.Int64Range(1, 120).Draw(rt, "bytes")
	}
	possible := map[int64]*known{}
	for _, k := range m.records {
		if k.state == journal.Pending && !k.next.After(m.at) && k.seq > c.AfterSeq && !slices.Contains(c.NotRules, k.rule) &&
			m.free(k) {
			possible[k.seq] = k
		}
	}
	got, err := m.j.Claim(m.ctx(), c)
	m.ok(err)
	var before, bytes int64 // the last one may pass the bound
	for _, r := range got {
		before, bytes = bytes, bytes+int64(len(r.Body))
	}
	const sealed = 64 // what sealing adds to a body where it is stored, at most
	full := c.Bytes > 0 && bytes+sealed*int64(len(got)) >= c.Bytes
	if len(got) != min(c.Limit, len(possible)) && !full || c.Bytes > 0 && before >= c.Bytes {
		m.rt.Fatalf("%d records of %d bytes were claimed, %d could be, the limits are %d and %d", len(got), bytes,
			len(possible), c.Limit, c.Bytes)
	}
	if !slices.IsSortedFunc(got, func(a, b *journal.Record) int { return cmp.Compare(a.Seq, b.Seq) }) {
		m.rt.Fatal("the claimed records are not in order")
	}
	for _, r := range got {
		k, ok := possible[r.Seq]
		if !ok {
			m.rt.Fatalf("record %d of key %s was claimed, which must wait", r.Seq, r.Key)
		}
		m.same("a claimed record", m.view(r), k.shown())
		k.claimed = c.Owner
	}
}

func (m *machine) claimed(owner string) []*known {
	var out []*known
	for _, k := range m.records {
		if k.claimed == owner {
			out = append(out, k)
		}
	}
	return out
}

func (m *machine) some(rt *rapid.T, all []*known) []*known {
	return slices.DeleteFunc(slices.Clone(all), func(*known) bool { return !rapid.Bool().Draw(rt, "this one") })
}

func (m *machine) release(rt *rapid.T) {
	owner := ownersOf.Draw(rt, "owner")
	var seqs []int64
	for _, k := range m.some(rt, m.claimed(owner)) {
		seqs = append(seqs, k.seq)
		k.claimed = ""
	}
	m.ok(m.j.Release(m.ctx(), owner, seqs))
}

func (m *machine) settle(rt *rapid.T) {
	b := &journal.Batch{Owner: ownersOf.Draw(rt, "owner"), Server: "national"}
	var newest []newer
	for _, k := range m.some(rt, m.claimed(b.Owner)) {
		s := journal.Settlement{Seq: k.seq, Attempts: k.attempts + 1}
		s.State = rapid.SampledFrom([]journal.State{journal.Delivered, journal.Failed, journal.Skipped, journal.Held,
			journal.Pending, journal.Superseded}).Draw(rt, "outcome")
		if s.State == journal.Superseded {
			s.SupersededBy = rapid.Int64Range(0, 3).Draw(rt, "by")
		} else if s.State != journal.Delivered && s.State != journal.Skipped {
			s.Problem = drawProblem(rt)
		}
		k.claimed = ""
		if s.State == journal.Pending {
			s.NextTry = m.at.Add(time.Duration(rapid.IntRange(0, 3).Draw(rt, "minutes")) * time.Minute)
		}
		if k.unsettled() || s.State == journal.Delivered {
			m.outcome(k, s)
			if s.State == journal.Delivered || s.State == journal.Superseded {
				newest = append(newest, newer{k.rule, k.id, k.order(), k.seq, s.SupersededBy})
			}
		}
		b.Settlements = append(b.Settlements, s)
	}
	for range rapid.IntRange(0, 2).Draw(rt, "rows") {
		r := m.draw(rt, rapid.SampledFrom([]journal.State{journal.Pending, journal.Failed}).Draw(rt, "state"))
		if rapid.Bool().Draw(rt, "tried") {
			r.Problem = drawProblem(rt)
		}
		if len(m.kept) > 0 && rapid.Bool().Draw(rt, "at its place") {
			i := rapid.IntRange(0, len(m.kept)-1).Draw(rt, "place")
			r.Seq, r.Received = m.kept[i].seq, m.kept[i].received
			m.kept = slices.Delete(m.kept, i, i+1)
		}
		b.New = append(b.New, r)
	}
	for key, owner := range m.keys {
		if owner == b.Owner && rapid.Bool().Draw(rt, "free this key") {
			b.Keys = append(b.Keys, key)
			delete(m.keys, key)
		}
	}
	m.drawDigests(rt, b)
	b.Versions = m.drawVersions(rt)
	m.ok(m.j.Commit(m.ctx(), b))
	m.supersede(newest)
	for _, r := range b.New {
		m.keep(r)
	}
	m.supersedeByRows(b.Versions)
}

func drawProblem(rt *rapid.T) *journal.Problem {
	return &journal.Problem{
		Class:   rapid.SampledFrom([]actions.Class{actions.ClassData, actions.ClassParent}).Draw(rt, "class"),
		Problem: diag.Problem{Code: rapid.SampledFrom([]string{"E1", "E2"}).Draw(rt, "code"), Message: "a cause"},
	}
}

func (m *machine) outcome(k *known, s journal.Settlement) {
	k.state, k.attempts, k.next, k.touched, k.code, k.told = s.State, s.Attempts, s.NextTry, m.at, "", false
	k.by = s.SupersededBy
	k.waits = waits(s.State, s.Problem)
	if s.Problem != nil {
		k.code = s.Problem.Code
	}
	if s.State != journal.Delivered {
		return
	}
	for _, other := range m.records {
		if other.key == k.key && other.waits {
			other.waits, other.attempts, other.next = false, max(other.attempts-1, 0), time.Time{}
		}
	}
}

// view gives what the model can know of a store's record.
func (m *machine) compare(*rapid.T) {
	all, err := m.j.Select(m.ctx(), journal.Filter{WithBody: true})
	m.ok(err)
	got := make([]known, len(all))
	for i, r := range all {
		got[i] = m.view(r)
	}
	want := make([]known, len(m.records))
	for i, k := range m.records {
		want[i] = k.shown()
	}
	m.same("records", got, want)
	m.compareSums()
	m.compareNotifications()
	m.ok(m.j.Check(m.ctx()))
}

func (m *machine) compareSums() {
	counts := map[string]int64{}
	waiting := map[string]int{}
	for _, k := range m.records {
		counts[k.rule+" "+string(k.state)]++
		if k.unsettled() {
			waiting[k.key]++
		}
	}
	sum, err := m.j.Summary(m.ctx())
	m.ok(err)
	got := map[string]int64{}
	for _, r := range sum.Rules {
		for state, n := range map[journal.State]int64{journal.Pending: r.Pending, journal.Held: r.Held,
			journal.Delivered: r.Delivered, journal.Skipped: r.Skipped,
			journal.Failed: r.Failed, journal.Dismissed: r.Dismissed, journal.Superseded: r.Superseded} {
			if n != 0 {
				got[r.Rule+" "+string(state)] = n
			}
		}
	}
	m.same("counts", got, counts)
	open, err := m.j.Select(m.ctx(), journal.Filter{States: []journal.State{journal.Pending, journal.Held}})
	m.ok(err)
	blocked := map[string]int{}
	for _, r := range open {
		blocked[r.Key]++
	}
	m.same("keys that wait", blocked, waiting)
	cursor, err := m.j.Cursor(m.ctx(), "c")
	m.ok(err)
	m.same("cursor", cursor, m.cursor)
	var objects []string
	for i := range 10 {
		objects = append(objects, name("object-", i))
	}
	digests, err := m.j.Memory("national").Digests(m.ctx(), objects)
	m.ok(err)
	m.same("digests", digests, m.digests)
}
