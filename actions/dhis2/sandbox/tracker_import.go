package sandbox

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// strategy is what is to be done with one object.
type strategy uint8

const (
	create strategy = iota
	update
	remove
)

// importParams are the parameters of a tracker import.
type importParams struct {
	strategy, atomicMode, mode, validation, reportMode string
	skipRules                                          bool
	async                                              bool
	schemes                                            map[string]string // by collection; "" for what has no scheme of its own
}

// importEnums are the parameters with a closed list of values, the first of which is the default.
var importEnums = []struct {
	name   string
	values []string
	set    func(p *importParams, v string)
}{
	{"importStrategy", []string{"CREATE_AND_UPDATE", "CREATE", "UPDATE", "DELETE"}, func(p *importParams, v string) { p.strategy = v }},
	{"atomicMode", []string{"ALL", "OBJECT"}, func(p *importParams, v string) { p.atomicMode = v }},
	{"importMode", []string{"COMMIT", "VALIDATE"}, func(p *importParams, v string) { p.mode = v }},
	{"validationMode", []string{"FULL", "FAIL_FAST", "SKIP"}, func(p *importParams, v string) { p.validation = v }},
	{"flushMode", []string{"AUTO", "OBJECT"}, func(*importParams, string) {}},
	{"reportMode", []string{"ERRORS", "WARNINGS", "FULL"}, func(p *importParams, v string) { p.reportMode = v }},
}

// importSchemes are the parameters that say how objects are identified; what is not said follows idScheme.
var importSchemes = map[string]string{"idScheme": "", "orgUnitIdScheme": kindOrgUnit, "programIdScheme": kindProgram, "programStageIdScheme": kindStage,
	"dataElementIdScheme": kindDataElement, "categoryOptionIdScheme": kindCategoryOption, "categoryOptionComboIdScheme": kindOptionCombo}

func readParams(m manners, q url.Values) (*importParams, *problem) {
	p := &importParams{schemes: map[string]string{}}
	for _, e := range importEnums {
		v := q.Get(e.name)
		if v == "" {
			v = e.values[0]
		}
		if !slices.Contains(e.values, v) {
			return nil, refuse(http.StatusBadRequest, "", "Value '%s' is not valid for parameter %s. Valid values are: [%s]", v, e.name, strings.Join(e.values, ", "))
		}
		e.set(p, v)
	}
	for name, kind := range importSchemes {
		v := q.Get(name)
		if v == "" {
			continue
		}
		if id, ok := strings.CutPrefix(v, "ATTRIBUTE:"); v != "UID" && v != "CODE" && v != "NAME" && !(ok && validUID(id)) {
			return nil, refuse(http.StatusBadRequest, "", "Value '%s' is not valid for parameter %s. Valid values are: [UID, CODE, NAME, ATTRIBUTE:attributeUid]", v, name)
		}
		p.schemes[kind] = v
	}
	flags := map[string]*bool{"skipRuleEngine": &p.skipRules, "skipSideEffects": new(bool), "skipPatternValidation": new(bool)}
	p.async = true
	if m >= 42 {
		flags["async"] = &p.async
	} else {
		p.async = q.Get("async") != "false"
	}
	for name, into := range flags {
		if !q.Has(name) || q.Get(name) == "" {
			continue
		}
		b, ok := springBool(q.Get(name))
		if !ok {
			return nil, refuse(http.StatusBadRequest, "", "Value '%s' is not valid for parameter %s. It should be of type boolean", q.Get(name), name)
		}
		*into = b
	}
	return p, nil
}

// scheme gives the scheme of a collection's identifiers.
func (p *importParams) scheme(kind string) string {
	if s, ok := p.schemes[kind]; ok && kind != "" {
		return s
	}
	return p.schemes[""]
}

// importTracker answers POST /api/tracker.
func (c *trackerCall) importTracker() {
	if !c.acceptsJSON() {
		return
	}
	params, p := readParams(c.manners, c.query)
	if p != nil {
		c.refused(p)
		return
	}
	body, p := c.readBody()
	if p != nil {
		c.refused(p)
		return
	}
	b, err := readBundle(c.manners, body)
	if err != nil {
		c.unreadable(err.Error())
		return
	}
	if b.nullList != "" {
		c.refused(refuse(http.StatusInternalServerError, "", "Cannot invoke \"java.util.List.stream()\" because %q is null", b.nullList))
		return
	}
	if params.async {
		c.importLater(params, b)
		return
	}
	rep, p := c.srv.runImport(c.user, params, b)
	switch {
	case p != nil:
		c.refused(p)
	case rep.Status == "ERROR":
		c.json(http.StatusConflict, rep)
	default:
		c.json(http.StatusOK, rep)
	}
}

// readBundle reads the body of an import.
func readBundle(m manners, body []byte) (*bundle, error) {
	root, err := parseJSON(body)
	if err != nil {
		return nil, fmt.Errorf("JSON parse error: %w", err)
	}
	if root == nil || root.kind == jsonNull {
		return nil, dhis2Words("Required request body is missing")
	}
	d := bundleDecoder{decoder: decoder{m: m}}
	b := d.bundle(root)
	if d.err != nil {
		return nil, fmt.Errorf("JSON parse error: %w", d.err)
	}
	b.nullList, b.blind = d.nullList, d.blind
	return b, nil
}

// importer carries one import through its steps: resolve, validate, run program rules, persist.
type importer struct {
	srv    *trackerService
	m      manners
	c      *catalog
	st     *store
	user   *user
	params *importParams
	b      *bundle
	r      *reporter

	holders       map[exactValue][]holder // of unique values, within the request
	holdersRead   bool
	enrollmentsBy map[string][]*enrollmentIn // of each tracked entity, within the request

	sent    map[string]int // how many objects of each kind
	crashed *problem       // a real server fails inside itself
	unseen  bool           // there are objects that nobody validated: validation was skipped, or ended at the first error
}

// runImport carries out an import. The problem is an import that failed as a whole inside the server.
func (s *trackerService) runImport(u *user, params *importParams, b *bundle) (*report, *problem) {
	im := &importer{srv: s, m: s.manners, c: s.catalog, st: s.store, user: u, params: params, b: b, r: newReporter(params.validation == "FAIL_FAST")}
	if b.blind {
		im.c, im.st = &catalog{}, newStore(s.catalog, s.now)
	}
	im.resolve()
	s.store.mu.Lock()
	defer s.store.mu.Unlock()
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
	im.unseen = im.skipsValidation() || params.validation == "FAIL_FAST" && len(im.r.errors) > 0
	if im.unseen && !im.mustStop() {
		im.checkNothing(valid)
	}
	if im.crashed == nil && !params.skipRules && params.strategy != "DELETE" && !(im.unseen && im.mustStop()) {
		if im.rulesFail(valid) {
			im.crash("Parameter specified as non-null is null: method org.hisp.dhis.rules.DateUtils$Companion.toRuleInstant, parameter instant")
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
	case params.mode == "VALIDATE":
		return im.completed(map[string]*typeReport{}), nil
	}
	if rep, p := im.collides(valid); rep != nil || p != nil {
		return rep, p
	}
	types := im.persist(valid)
	if err := s.store.state.flush(); err != nil {
		s.log.Error("sandbox could not keep its state", "error", err)
		return nil, refuse(http.StatusInternalServerError, "", "%s", err.Error())
	}
	if len(im.r.errors) > 0 {
		s.log.Info("tracker import", "objects", b.size(), "invalid", im.r.unique(""), "codes", im.r.codes())
	}
	return im.completed(types), nil
}

// skipsValidation: only a superuser may.
func (im *importer) skipsValidation() bool { return im.params.validation == "SKIP" && im.user.super }

// mustStop: with atomicMode ALL one error stops everything.
func (im *importer) mustStop() bool { return len(im.r.errors) > 0 && im.params.atomicMode == "ALL" }

func (im *importer) stopped(valid *accepted) *report {
	n := 0
	for _, size := range im.sent {
		n += size
	}
	if im.m.sizesLate() {
		n = valid.size() + im.r.unique("")
	}
	return &report{Status: "ERROR", Validation: validationOf(im.m, im.r, im.params.reportMode), Stats: &stats{Ignored: n, Total: n}, Timings: im.timings()}
}

func (im *importer) completed(types map[string]*typeReport) *report {
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
		if im.m.splitEvents() {
			t.Stats.Ignored += im.r.unique(kind)
		} else { // whatever was sent and not written; the sum over all counts errors alone
			t.Stats.Ignored = im.sent[kind] - t.Stats.Created - t.Stats.Updated - t.Stats.Deleted
		}
		t.Stats.Total = t.Stats.Created + t.Stats.Updated + t.Stats.Deleted + t.Stats.Ignored
	}
	total.Total = total.Created + total.Updated + total.Deleted + total.Ignored
	return &report{Status: "OK", Validation: validationOf(im.m, im.r, im.params.reportMode), Stats: &total, Bundle: &bundleReport{Types: types}, Timings: im.timings()}
}

// timings: up to 2.40 a full report tells how long things took.
func (im *importer) timings() *object {
	if im.m > 40 || im.params.reportMode != "FULL" {
		return nil
	}
	return &object{"timers": object{"totalImport": "0.001 sec."}}
}

// resolve finds the metadata that objects name. It needs no lock: metadata does not change.
func (im *importer) resolve() {
	find := func(kind, id string) string { return im.c.find(kind, im.params.scheme(kind), id) }
	for _, t := range im.b.entities {
		t.entityType = im.c.types[find(kindTEType, t.typeID)]
		t.orgUnit = im.c.orgUnits[find(kindOrgUnit, t.orgUnitID)]
		im.resolveAttributes(t.attributes)
	}
	for _, e := range im.b.enrollments {
		e.program = im.c.programs[find(kindProgram, e.programID)]
		e.orgUnit = im.c.orgUnits[find(kindOrgUnit, e.orgUnitID)]
		im.resolveAttributes(e.attributes)
	}
	for _, e := range im.b.events {
		im.resolveEvent(e, find)
	}
	for _, r := range im.b.relationships {
		r.relType = im.c.relTypes[find(kindRelType, r.typeID)]
	}
	im.b.index()
}

func (im *importer) resolveAttributes(attrs []attributeIn) {
	for i := range attrs {
		attrs[i].uid = im.c.find(kindAttribute, im.params.scheme(kindAttribute), attrs[i].id)
	}
}

func (im *importer) resolveEvent(e *eventIn, find func(kind, id string) string) {
	e.stage = im.c.stages[find(kindStage, e.stageID)]
	e.program = im.c.programs[find(kindProgram, e.programID)]
	e.orgUnit = im.c.orgUnits[find(kindOrgUnit, e.orgUnitID)]
	e.combo = im.c.optionCombos[find(kindOptionCombo, e.comboID)]
	for _, id := range e.optionIDs {
		e.options = append(e.options, find(kindCategoryOption, id))
	}
	for i := range e.values {
		e.values[i].uid = find(kindDataElement, e.values[i].id)
	}
}

// chooseStrategies decides for each object whether it is new (DHIS2 StrategyPreprocessor).
func (im *importer) chooseStrategies() {
	pick := func(exists bool) strategy {
		switch im.params.strategy {
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
		t.old = im.st.entities[t.uid]
		t.strategy = pick(t.old != nil)
	}
	for _, e := range im.b.enrollments {
		e.old = im.st.enrollments[e.uid]
		e.strategy = pick(e.old != nil)
	}
	for _, e := range im.b.events {
		e.old = im.st.events[e.uid]
		e.strategy = pick(e.old != nil)
	}
	for _, r := range im.b.relationships {
		r.old = im.st.relationships[r.uid]
		r.strategy = pick(r.old != nil)
	}
}
