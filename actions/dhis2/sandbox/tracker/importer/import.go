package importer

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/culvert/culvert/actions/dhis2/sandbox/catalog"
	"github.com/culvert/culvert/actions/dhis2/sandbox/ids"
	"github.com/culvert/culvert/actions/dhis2/sandbox/jsontree"
	"github.com/culvert/culvert/actions/dhis2/sandbox/programrules"
	"github.com/culvert/culvert/actions/dhis2/sandbox/rest"
	"github.com/culvert/culvert/actions/dhis2/sandbox/store"
	"github.com/culvert/culvert/actions/dhis2/sandbox/version"
)

// strategy is what is to be done with one object.
type strategy uint8

const (
	create strategy = iota
	update
	remove
)

// Params are the parameters of a tracker import.
type Params struct {
	Strategy, AtomicMode, Mode, Validation, ReportMode string
	SkipRules                                          bool
	Async                                              bool
	// by collection; "" for what has no scheme of its own
	Schemes map[string]string
}

// importEnums are the parameters with a closed list of values, the first of which is the default.
var importEnums = []struct {
	name   string
	values []string
	set    func(p *Params, v string)
}{
	{"importStrategy", []string{"CREATE_AND_UPDATE", "CREATE", "UPDATE", "DELETE"},
		func(p *Params, v string) { p.Strategy = v }},
	{"atomicMode", []string{"ALL", "OBJECT"}, func(p *Params, v string) { p.AtomicMode = v }},
	{"importMode", []string{"COMMIT", "VALIDATE"}, func(p *Params, v string) { p.Mode = v }},
	{"validationMode", []string{"FULL", "FAIL_FAST", "SKIP"}, func(p *Params, v string) { p.Validation = v }},
	{"flushMode", []string{"AUTO", "OBJECT"}, func(*Params, string) {}},
	{"reportMode", []string{"ERRORS", "WARNINGS", "FULL"}, func(p *Params, v string) { p.ReportMode = v }},
}

// Schemes are the parameters that say how objects are identified; what is not said follows idScheme.
var Schemes = map[string]string{"idScheme": "", "orgUnitIdScheme": catalog.KindOrgUnit,
	"programIdScheme": catalog.KindProgram, "programStageIdScheme": catalog.KindStage,
	"dataElementIdScheme": catalog.KindDataElement, "categoryOptionIdScheme": catalog.KindCategoryOption,
	"categoryOptionComboIdScheme": catalog.KindOptionCombo}

func ReadParams(m version.Profile, q url.Values) (*Params, *rest.Problem) {
	p := &Params{Schemes: map[string]string{}}
	for _, e := range importEnums {
		v := q.Get(e.name)
		if v == "" {
			v = e.values[0]
		}
		known, ok := rest.OneOf(e.values, v)
		if !ok {
			return nil, rest.Refuse(http.StatusBadRequest, "",
				"Value '%s' is not valid for parameter %s. Valid values are: [%s]", v, e.name, strings.Join(e.values, ", "))
		}
		e.set(p, known)
	}
	for name, kind := range Schemes {
		v := q.Get(name)
		if v == "" {
			continue
		}
		if id, ok := strings.CutPrefix(v, "ATTRIBUTE:"); v != "UID" && v != "CODE" && v != "NAME" && !(ok && ids.Valid(id)) {
			return nil, rest.Refuse(http.StatusBadRequest, "",
				"Value '%s' is not valid for parameter %s. Valid values are: [UID, CODE, NAME, ATTRIBUTE:attributeUid]", v, name)
		}
		p.Schemes[kind] = v
	}
	flags := map[string]*bool{"skipRuleEngine": &p.SkipRules, "skipSideEffects": new(bool),
		"skipPatternValidation": new(bool)}
	p.Async = true
	if m >= 42 {
		flags["async"] = &p.Async
	} else {
		p.Async = q.Get("async") != "false"
	}
	for name, into := range flags {
		if !q.Has(name) || q.Get(name) == "" {
			continue
		}
		b, ok := rest.ParseFlag(q.Get(name))
		if !ok {
			return nil, rest.Refuse(http.StatusBadRequest, "",
				"Value '%s' is not valid for parameter %s. It should be of type boolean", q.Get(name), name)
		}
		*into = b
	}
	return p, nil
}

// scheme gives the scheme of a collection's identifiers.
func (p *Params) scheme(kind string) string {
	if s, ok := p.Schemes[kind]; ok && kind != "" {
		return s
	}
	return p.Schemes[""]
}

// ReadBundle reads the body of an import.
func ReadBundle(m version.Profile, body []byte) (*Bundle, error) {
	root, err := jsontree.Parse(body)
	if err != nil {
		return nil, fmt.Errorf("JSON parse error: %w", err)
	}
	if root == nil || root.Kind == jsontree.Null {
		return nil, rest.Verbatim("Required request body is missing")
	}
	d := bundleDecoder{Decoder: rest.Decoder{Version: m, Crashes: true}}
	b := d.bundle(root)
	if d.Err != nil {
		return nil, fmt.Errorf("JSON parse error: %w", d.Err)
	}
	b.NullList, b.Crash, b.blind = d.NullList, d.Crash, d.blind
	return b, nil
}

// importer carries one import through its steps: resolve, validate, run program rules, persist.
type importer struct {
	srv     *Engine
	version version.Profile
	c       *catalog.Catalog
	st      *store.Store
	user    *catalog.User
	params  *Params
	b       *Bundle
	r       *reporter

	holders       map[exactValue][]holder // of unique values, within the request
	holdersRead   bool
	enrollmentsBy map[string][]*enrollmentIn // of each tracked entity, within the request

	filtered bool // what is invalid is no more in the request

	sent    map[string]int // how many objects of each kind
	crashed *rest.Problem  // a real server fails inside itself
	unseen  bool           // there are objects that nobody validated: validation was skipped, or ended at the first error
}

// Run carries out an import. The problem is an import that failed as a whole inside the server.
func (s *Engine) Run(u *catalog.User, params *Params, b *Bundle) (*Report, *rest.Problem) {
	im := &importer{srv: s, version: s.Version, c: s.Catalog, st: s.Store, user: u, params: params, b: b,
		r: newReporter(params.Validation == "FAIL_FAST")}
	if b.blind {
		im.c, im.st = &catalog.Catalog{}, store.New(s.Catalog, s.Now)
	}
	im.resolve()
	s.Store.Lock()
	defer s.Store.Unlock()
	im.sent = im.b.sizes()
	im.chooseStrategies()
	im.preprocess()
	if im.crashed != nil {
		return nil, im.crashed
	}
	if !im.skipsValidation() {
		im.validate()
	}
	valid := im.persistable(im.b.everything())
	im.unseen = im.skipsValidation() || params.Validation == "FAIL_FAST" && len(im.r.errors) > 0
	if im.crashed == nil && !params.SkipRules && params.Strategy != "DELETE" {
		if im.rulesFail(valid); im.crashed != nil {
			return nil, im.crashed
		}
		im.runRules(valid)
		valid = im.persistable(valid)
	}
	switch {
	case im.crashed != nil:
		return nil, im.crashed
	case im.mustStop():
		return im.stopped(valid), nil
	case params.Mode == "VALIDATE":
		return im.completed(map[string]*typeReport{}), nil
	}
	if im.unseen {
		if im.checkNothing(valid); im.crashed != nil {
			return nil, im.crashed
		}
	}
	if rep, p := im.collides(valid); rep != nil || p != nil {
		return rep, p
	}
	types := im.persist(valid)
	if err := s.Store.Flush(); err != nil {
		s.Log.Error("sandbox could not keep its state", "error", err)
		return nil, rest.Refuse(http.StatusInternalServerError, "", "%s", err.Error())
	}
	if len(im.r.errors) > 0 {
		s.Log.Info("tracker import", "objects", b.size(), "invalid", im.r.unique(""), "codes", im.r.codes())
	}
	return im.completed(types), nil
}

// skipsValidation: only a superuser may.
func (im *importer) skipsValidation() bool { return im.params.Validation == "SKIP" && im.user.Super }

// endedEarly tells whether validation stopped at its first error, after which rules bring
// validators of their own. Who skips validation meets none.
func (im *importer) endedEarly() bool { return im.unseen && !im.skipsValidation() }

// mustStop: with atomicMode ALL one error stops everything.
func (im *importer) mustStop() bool { return len(im.r.errors) > 0 && im.params.AtomicMode == "ALL" }

func (im *importer) stopped(valid *accepted) *Report {
	n := 0
	for _, size := range im.sent {
		n += size
	}
	if im.version.SizesLate() {
		n = valid.size() + im.r.unique("")
	}
	return &Report{Status: "ERROR", Validation: validationOf(im.version, im.r, im.params.ReportMode),
		Stats: &stats{Ignored: n, Total: n}, Timings: im.timings()}
}

func (im *importer) completed(types map[string]*typeReport) *Report {
	total := stats{Ignored: im.r.unique("")}
	for _, kind := range trackerKinds {
		t := types[kind]
		if t == nil {
			continue
		}
		total.Created += t.Stats.Created
		total.Updated += t.Stats.Updated
		total.Deleted += t.Stats.Deleted
		total.Ignored += t.Stats.Ignored // by the writing itself
		if im.version.SplitEvents() {
			t.Stats.Ignored += im.r.unique(kind)
		} else { // whatever was sent and not written; the sum over all counts errors alone
			t.Stats.Ignored = im.sent[kind] - t.Stats.Created - t.Stats.Updated - t.Stats.Deleted
		}
		t.Stats.Total = t.Stats.Created + t.Stats.Updated + t.Stats.Deleted + t.Stats.Ignored
	}
	total.Total = total.Created + total.Updated + total.Deleted + total.Ignored
	return &Report{Status: "OK", Validation: validationOf(im.version, im.r, im.params.ReportMode), Stats: &total,
		Bundle: &bundleReport{Types: types}, Timings: im.timings()}
}

// timings: up to 2.40 a full report tells how long things took.
func (im *importer) timings() *object {
	if im.version > 40 || im.params.ReportMode != "FULL" {
		return nil
	}
	return &object{"timers": object{"totalImport": "0.001 sec."}}
}

// resolve finds the metadata that objects name. It needs no lock: metadata does not change.
func (im *importer) resolve() {
	find := func(kind, id string) string { return im.c.Find(kind, im.params.scheme(kind), id) }
	for _, t := range im.b.entities {
		t.entityType = im.c.Types[find(catalog.KindTEType, t.typeID)]
		t.orgUnit = im.c.OrgUnits[find(catalog.KindOrgUnit, t.orgUnitID)]
		im.resolveAttributes(t.attributes)
	}
	for _, e := range im.b.enrollments {
		e.program = im.c.Programs[find(catalog.KindProgram, e.programID)]
		e.orgUnit = im.c.OrgUnits[find(catalog.KindOrgUnit, e.orgUnitID)]
		im.resolveAttributes(e.attributes)
	}
	for _, e := range im.b.events {
		im.resolveEvent(e, find)
	}
	for _, r := range im.b.relationships {
		r.relType = im.c.RelTypes[find(catalog.KindRelType, r.typeID)]
	}
	im.b.index()
}

func (im *importer) resolveAttributes(attrs []attributeIn) {
	for i := range attrs {
		attrs[i].uid = im.c.Find(catalog.KindAttribute, im.params.scheme(catalog.KindAttribute), attrs[i].id)
	}
}

func (im *importer) resolveEvent(e *eventIn, find func(kind, id string) string) {
	e.stage = im.c.Stages[find(catalog.KindStage, e.stageID)]
	e.program = im.c.Programs[find(catalog.KindProgram, e.programID)]
	e.orgUnit = im.c.OrgUnits[find(catalog.KindOrgUnit, e.orgUnitID)]
	e.combo = im.c.OptionCombos[find(catalog.KindOptionCombo, e.comboID)]
	for _, id := range e.optionIDs {
		e.options = append(e.options, find(catalog.KindCategoryOption, id))
	}
	for i := range e.values {
		e.values[i].uid = find(catalog.KindDataElement, e.values[i].id)
	}
}

// chooseStrategies decides for each object whether it is new (DHIS2 StrategyPreprocessor).
func (im *importer) chooseStrategies() {
	pick := func(exists bool) strategy {
		switch im.params.Strategy {
		case "CREATE":
			return create
		case "UPDATE":
			return update
		case "DELETE":
			return remove
		}
		if exists {
			return update
		}
		return create
	}
	for _, t := range im.b.entities {
		t.old = im.st.Entities[t.uid]
		t.strategy = pick(t.old != nil)
	}
	for _, e := range im.b.enrollments {
		e.old = im.st.Enrollments[e.uid]
		e.strategy = pick(e.old != nil)
	}
	for _, e := range im.b.events {
		e.old = im.st.Events[e.uid]
		e.strategy = pick(e.old != nil)
	}
	for _, r := range im.b.relationships {
		r.old = im.st.Relationships[r.uid]
		r.strategy = pick(r.old != nil)
	}
}

// Engine imports tracker objects.
type Engine struct {
	*rest.Env
	rules *ruleEngine
}

func New(e *rest.Env) *Engine {
	return &Engine{Env: e, rules: newRuleEngine(e.Catalog, e.Version, e.Log)}
}

// RulesChanged compiles the program rules anew. The metadata must be locked.
func (s *Engine) RulesChanged() { s.rules = newRuleEngine(s.Catalog, s.Version, s.Log) }

// SkippedRules are the program rules that are not evaluated.
func (s *Engine) SkippedRules() []programrules.Skipped { return s.rules.skipped }
