package rules

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/culvert/culvert/rules/diag"
)

// found is what a lookup came to on one record.
type found struct {
	done bool
	err  error
}

// need makes the result of a lookup visible, running it when that was not done yet.
func (s *Scope) need(i int) error {
	f := &s.lookups[i]
	if f.done {
		return f.err
	}
	l := s.rule.Lookups[i]
	v, values, err := l.run(s)
	if unanswered, ok := errors.AsType[*Unanswered](err); ok {
		return unanswered // asked, and evaluated again
	}
	f.done, f.err = true, err
	if err == nil {
		s.env[l.Name] = v
	}
	if s.Trace != nil {
		s.step(Step{What: "lookup", Name: l.Name, In: values, Out: v, Place: l.Place}, err)
	}
	return err
}

// forgetItemLookups drops what was found for the item before.
func (s *Scope) forgetItemLookups() {
	for i, l := range s.rule.Lookups {
		if l.perItem {
			s.lookups[i] = found{}
			delete(s.env, l.Name)
		}
	}
}

// run finds the object or row: nil when the rule goes on without. Values are what it searched for,
// for traces and failures. The error is a *Failure.
func (l *Lookup) run(s *Scope) (v any, values string, err error) {
	if l.kin != nil {
		return l.runKin(s)
	}
	if l.asked != nil {
		return l.runAsked(s)
	}
	within, err := l.runWithin(s)
	if err != nil {
		return nil, "", err
	}
	var searched []string
	blank := true
	for _, cand := range l.candidates {
		texts := make([]string, len(cand))
		complete := true
		for i, cr := range cand {
			if texts[i], err = cr.expr.EvalText(s); err != nil {
				return nil, strings.Join(searched, "; "), l.named(err)
			}
			texts[i] = strings.TrimSpace(texts[i])
			complete = complete && texts[i] != ""
			searched = append(searched, cr.field+" = "+clip(texts[i]))
		}
		if !complete {
			continue
		}
		blank = false
		var hits []any
		if l.table != nil {
			hits = l.table.find(cand, texts)
		} else {
			hits = l.search(cand, texts, within)
		}
		switch len(hits) {
		case 0:
			continue
		case 1:
			return hits[0], strings.Join(searched, "; "), nil
		}
		v, err := l.many(hits, strings.Join(searched, "; "))
		return v, strings.Join(searched, "; "), err
	}
	values = strings.Join(searched, "; ")
	err = l.missing(values, blank)
	if f, ok := err.(*Failure); ok && !f.Skip && !blank {
		l.suggest(s, f)
	}
	return nil, values, err
}

// maxSuggested bounds how many failures of a lookup get the names that are alike: going through all
// names takes a while, and people read the first few.
const maxSuggested = 200

// suggest names in a failure what was probably meant.
func (l *Lookup) suggest(s *Scope, f *Failure) {
	if l.directory == nil || l.table != nil || l.suggested.Add(1) > maxSuggested {
		return
	}
	for _, cand := range l.candidates {
		text, err := cand[0].expr.EvalText(s)
		if err != nil || strings.TrimSpace(text) == "" {
			continue
		}
		if near := diag.Nearest(strings.TrimSpace(text), l.names(cand[0].field)); len(near) > 0 {
			f.Hint = fmt.Sprintf("did you mean %s? %s", diag.Names(near, "or"), strings.ToUpper(f.Hint[:1])+f.Hint[1:])
			return
		}
	}
}

// named says in a failure which lookup it is about.
func (l *Lookup) named(err error) error {
	if f, ok := err.(*Failure); ok && f.Field == "" {
		f.Field = l.Name
	}
	return err
}

// search finds objects of the metadata.
func (l *Lookup) search(cand candidate, texts []string, within *Object) []any {
	if l.directory == nil {
		return nil
	}
	var hits []any
	for _, text := range l.spellings(cand[0].field, texts[0]) {
		for _, o := range l.directory.Find(l.Collection, cand[0].field, text) {
			if l.among != nil && !l.among(o) || l.level > 0 && o.Level != l.level ||
				within != nil && !liesWithin(o, within) {
				continue
			}
			fits := true
			for i := 1; i < len(cand) && fits; i++ {
				fits = l.equal(fieldOf(o, cand[i].field), texts[i])
			}
			if fits && !slices.ContainsFunc(hits, func(h any) bool { return h.(*Object).ID == o.ID }) {
				hits = append(hits, o)
			}
		}
	}
	return hits
}

// spellings gives the values that a field really has for the one that the record gives.
func (l *Lookup) spellings(field, text string) []string {
	if l.match == matchExact {
		return []string{text}
	}
	names, key := l.folded[field](), foldKey(text)
	if same := names.written[key]; len(same) > 0 || l.match == matchFolded {
		return same
	}
	return names.nearest(key)
}

// foldedNames are the values of a field as ignore_case sees them.
type foldedNames struct {
	written map[string][]string // by the folded form, as they are written
	keys    []string

	mu   sync.Mutex
	near map[string][]string // what was found before: sources misspell the same names again and again
}

// maxNear bounds how many misspellings are remembered.
const maxNear = 10_000

// nearest gives the spellings of the names nearest to one: of several when they are as near as each
// other, for those are several matches.
func (f *foldedNames) nearest(key string) []string {
	f.mu.Lock()
	all, known := f.near[key]
	f.mu.Unlock()
	if known {
		return all
	}
	near := diag.Nearest(key, f.keys)
	for _, n := range near {
		if diag.Distance(key, n) == diag.Distance(key, near[0]) {
			all = append(all, f.written[n]...)
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.near == nil || len(f.near) >= maxNear {
		f.near = map[string][]string{}
	}
	f.near[key] = all
	return all
}

func (l *Lookup) equal(a, b string) bool {
	return a == b || l.match != matchExact && foldKey(a) == foldKey(b)
}

func fieldOf(o *Object, field string) string {
	switch field {
	case "id":
		return o.ID
	case "code":
		return o.Code
	case "name":
		return o.Name
	case "username":
		return o.Username
	}
	return o.Attributes[field]
}

func liesWithin(o, top *Object) bool {
	return slices.ContainsFunc(o.Ancestors, func(a *Object) bool { return a.ID == top.ID })
}

func (l *Lookup) runWithin(s *Scope) (*Object, error) {
	if l.within == nil {
		return nil, nil
	}
	v, err := l.within.Eval(s)
	if err != nil {
		return nil, l.named(err)
	}
	o, ok := v.(*Object)
	if !ok || o == nil {
		return nil, &Failure{Problem: diag.Problem{
			Code: "lookup-missing", Message: fmt.Sprintf("the lookup %q has no org unit to search within", l.Name),
			Field: l.Name, Place: l.within.Place,
			Hint: "within: needs a lookup that finds an org unit",
		}}
	}
	return o, nil
}

// runKin finds the parent or ancestor of an org unit.
func (l *Lookup) runKin(s *Scope) (any, string, error) {
	v, err := l.kin.Eval(s)
	if err != nil {
		return nil, "", l.named(err)
	}
	o, _ := v.(*Object)
	switch {
	case o == nil:
	case !l.ancestor && o.Parent != nil:
		return o.Parent, o.Name, nil
	case l.ancestor && o.Level == l.level:
		return o, o.Name, nil
	case l.ancestor:
		for _, a := range o.Ancestors {
			if a.Level == l.level {
				return a, o.Name, nil
			}
		}
	}
	return nil, "", l.missing("", o == nil)
}

// missing is what happens when nothing is found; nil when the rule goes on without.
func (l *Lookup) missing(values string, blank bool) error {
	f := &Failure{Problem: diag.Problem{
		Code: "lookup-missing", Message: fmt.Sprintf("the lookup %q found nothing in %s", l.Name, l.where()), Field: l.Name,
		Place: l.Place, Value: values,
		Hint: "correct the value in the source, or add it where it is looked up (then sync); on_missing: skip or blank " +
			"lets such records pass",
	}}
	if blank {
		f.Code, f.Message = "lookup-blank", fmt.Sprintf("the lookup %q has nothing to look for: the value is blank", l.Name)
		f.Hint = "give the value in the source; on_missing: skip or blank lets such records pass"
	}
	switch l.onMissing {
	case lookupBlank:
		return nil
	case lookupSkip:
		f.Skip = true
	case lookupWait:
		f.Wait = !blank
	}
	return f
}

func (l *Lookup) where() string {
	if at, ok := l.asked.(interface{ Where() string }); ok {
		return at.Where()
	}
	if l.Collection == "" {
		return "its table"
	}
	return l.Collection
}

// many is what happens when several are found.
func (l *Lookup) many(hits []any, values string) (any, error) {
	f := &Failure{Problem: diag.Problem{
		Code: "lookup-many", Message: fmt.Sprintf("the lookup %q found %d in %s", l.Name, len(hits),
			l.where()+nameSome(hits)), Field: l.Name, Place: l.Place, Value: values,
		Hint: l.narrowing("look up by id or code, add level: or within:, or say on_many: first"),
	}}
	switch l.onMany {
	case lookupBlank:
		return nil, nil
	case lookupFirst:
		return slices.MinFunc(hits, compareHits), nil
	case lookupSkip:
		f.Skip = true
	}
	return nil, f
}

// narrowing says how a lookup finds fewer.
func (l *Lookup) narrowing(usual string) string {
	if l.directory != nil && l.among == nil && l.table == nil && l.Collection != orgUnits {
		if a := l.directory.Among(l.Collection, ""); a.What != "" {
			return fmt.Sprintf("add among: with the name of the %s, look up by id, or say on_many: first", a.What)
		}
	}
	return usual
}

// compareHits orders objects by name; rows of a table keep their order.
func compareHits(a, b any) int {
	x, ok := a.(*Object)
	y, _ := b.(*Object)
	if !ok || y == nil {
		return 0
	}
	return cmp.Or(cmp.Compare(x.Name, y.Name), cmp.Compare(x.ID, y.ID))
}

// nameSome names the first of several objects. They are metadata, no data of the record.
func nameSome(hits []any) string {
	var names []string
	for _, h := range hits[:min(5, len(hits))] {
		o, ok := h.(*Object)
		switch {
		case ok && o.Code != "":
			names = append(names, fmt.Sprintf("%s (%s, %s)", o.Name, o.Code, o.ID))
		case ok:
			names = append(names, fmt.Sprintf("%s (%s)", o.Name, o.ID))
		}
	}
	if len(names) == 0 {
		return ""
	}
	return ": " + strings.Join(names, ", ")
}
