package compile

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/culvert/culvert/actions/dhis2/metadata"
	"github.com/culvert/culvert/actions/dhis2/value"
	"github.com/culvert/culvert/rules"
	"github.com/culvert/culvert/rules/diag"
	"github.com/culvert/culvert/rules/yamlnode"
)

// attributeCombo is what an enrollment, event or data set is attributed to besides org unit and
// time, such as a funding partner.
type attributeCombo struct {
	w     *env
	combo string // category combo
	field *rules.Field
	parts []*categoryPart // by category, where the rule names options
	fixed *metadata.CategoryOptionCombo
}

// categoryPart is the option of one category.
type categoryPart struct {
	category string
	field    *rules.Field
}

// attributeCombo reads attribute_category_options and attribute_option_combo. Where the metadata
// asks for more than the default one of them must be there (E1055, E7630); required says whether
// its absence is a mistake.
func (c *compiler) attributeCombo(ref *metadata.Ref, required bool) *attributeCombo {
	options, whole := c.mapping("attribute_category_options"), c.node("attribute_option_combo")
	if ref == nil || ref.ID == c.x.DefaultCombo() {
		for key, n := range map[string]*yamlnode.Node{"attribute_category_options": options,
			"attribute_option_combo": whole} {
			if n != nil && !c.isDefault(n) {
				c.errorAt(c.spec.Body.Key(key).Place(), "no-attribute-combo",
					"leave it out, or give it a category combination in DHIS2 and sync",
					"%q does not fit: data here is not divided by categories", key)
			}
		}
		return nil
	}
	a := &attributeCombo{w: c.env, combo: ref.ID}
	switch {
	case whole != nil:
		if a.field = c.fieldOf("attribute_option_combo", whole); a.field != nil && a.field.From == nil {
			a.fixed = c.literalCombo(ref.ID, literalNode(whole), "attribute option combo")
		} else {
			c.checkCombos(a.field, []string{ref.ID})
		}
	case options != nil:
		a.parts = c.categoryParts(ref.ID, options)
	case required:
		c.errorAt(c.spec.Place, "attribute-combo-missing", "add attribute_category_options: "+c.categoryNames(ref.ID),
			"data here is divided by %s, and nothing says which", c.categoryNames(ref.ID))
		return nil
	default:
		return nil
	}
	return a
}

// divides tells whether a combination read from the data must be other than the default one.
func (a *attributeCombo) divides() bool {
	return a != nil && a.field != nil && a.combo != a.w.x.DefaultCombo()
}

func (c *compiler) isDefault(n *yamlnode.Node) bool {
	return literalNode(n).Value == "default" || literalNode(n).Value == c.x.DefaultOptionCombo()
}

func literalNode(n *yamlnode.Node) *yamlnode.Node {
	if v := n.Get("value"); v != nil {
		return v
	}
	return n
}

func (c *compiler) categoryNames(combo string) string {
	var names []string
	for _, category := range c.categoriesOf(combo) {
		names = append(names, category.Name)
	}
	return diag.Names(names, "and")
}

// categoryParts compiles a mapping of categories to options.
func (c *compiler) categoryParts(combo string, n *yamlnode.Node) []*categoryPart {
	categories := c.categoriesOf(combo)
	var parts []*categoryPart
	for _, pair := range n.Pairs() {
		fits := func(k *metadata.Category) bool {
			return pair.Key.Value == k.Name || pair.Key.Value == k.Code || pair.Key.Value == k.ID
		}
		i := slices.IndexFunc(categories, fits)
		if i >= 0 && slices.ContainsFunc(categories[i+1:], fits) {
			c.errorAt(pair.Key.Place(), "ambiguous-name", "use the code or uid of the category",
				"several categories are called %q here", pair.Key.Value)
			continue
		}
		if i < 0 {
			var names []string
			for _, k := range categories {
				names = append(names, k.Name)
			}
			c.errorAt(pair.Key.Place(), "unknown-category", diag.Suggest(pair.Key.Value, names, "categories"),
				"there is no category %q here", pair.Key.Value)
			continue
		}
		f := c.fieldOf(pair.Key.Value, pair.Value)
		if f == nil {
			continue
		}
		if f.From == nil {
			ref, _ := f.Literal()
			o, ambiguous, suggestions := c.x.CategoryOption(combo, ref)
			c.found(literalNode(pair.Value), o != nil, metadata.CategoryOptions, "category option", ambiguous, suggestions)
		} else {
			c.checkOutputs(f, "category option", func(ref string) (string, []string, []string) {
				o, ambiguous, near := c.x.CategoryOption(combo, ref)
				return idOf(o, func(o *metadata.CategoryOption) string { return o.ID }), ambiguous, near
			})
		}
		parts = append(parts, &categoryPart{pair.Key.Value, f})
	}
	if len(parts) < len(categories) && !c.failed {
		c.errorAt(n.Place(), "attribute-combo-missing", "name one option for each of "+c.categoryNames(combo),
			"not every category has an option")
	}
	return parts
}

// literalCombo finds a category option combination that the rule names plainly.
func (c *compiler) literalCombo(combo string, n *yamlnode.Node, what string) *metadata.CategoryOptionCombo {
	found, ambiguous, suggestions := c.x.CategoryOptionCombo(combo, n.Value)
	if found == nil && len(suggestions) == 0 {
		for _, o := range c.x.CombosOf(combo) {
			suggestions = append(suggestions, o.Name)
		}
	}
	if !c.found(n, found != nil, metadata.CategoryOptionCombos, what, ambiguous, suggestions) {
		return nil
	}
	c.use(found.ID, n.Place())
	return found
}

// eval gives the uid and name of the combination; both empty where the rule has none. on is the day of the data.
func (a *attributeCombo) eval(s *rules.Scope, on time.Time) (uid, name string, err error) {
	if a == nil {
		return "", "", nil
	}
	combo, place := a.fixed, a.field
	if combo == nil && a.field != nil {
		combo, err = comboOf(a.w, a.combo, a.field, "attribute_option_combo", s)
	}
	if a.field == nil {
		combo, place, err = a.fromParts(s)
	}
	if err != nil || combo == nil {
		return "", "", err
	}
	if closed := a.w.closedOption(combo, on); closed != "" {
		return "", "", &rules.Failure{Problem: diag.Problem{
			Code: "category-option-closed", Place: placeOf(place), Field: "attribute_category_options",
			Message: fmt.Sprintf("the category option %q does not cover the day of the data", closed),
			Hint:    "choose another option, or change its dates in DHIS2 and sync",
		}}
	}
	return combo.ID, combo.Name, nil
}

// closedOption names an option of a combination that has not begun or has ended on a day (E1056, E1057, E7638).
func (w *env) closedOption(combo *metadata.CategoryOptionCombo, on time.Time) string {
	if on.IsZero() {
		return ""
	}
	for _, ref := range combo.CategoryOptions {
		o := w.x.CategoryOptionByID(ref.ID)
		if o == nil {
			continue
		}
		if o.StartDate != "" && on.Before(day(o.StartDate)) || o.EndDate != "" && on.After(day(o.EndDate)) {
			return o.Name
		}
	}
	return ""
}

// comboOf evaluates a field that names a combination.
func comboOf(w *env, combo string, f *rules.Field, key string, s *rules.Scope) (*metadata.CategoryOptionCombo, error) {
	r, err := f.Eval(s)
	if err != nil || r.Blank {
		return nil, err
	}
	ref, _ := value.Text(r.Value, nil)
	found, ambiguous, near := w.x.CategoryOptionCombo(combo, strings.TrimSpace(ref))
	if found == nil && len(ambiguous) > 0 {
		return nil, severalFit("ambiguous-category-option-combo", f, key, r.Value, ambiguous)
	}
	if found == nil {
		if len(near) == 0 {
			for _, o := range w.x.CombosOf(combo) {
				near = append(near, o.Name)
			}
		}
		return nil, &rules.Failure{Problem: diag.Problem{
			Code: "unknown-category-option-combo", Place: placeOf(f), Field: key, Column: f.Column(), Value: private(r.Value),
			Message: fmt.Sprintf("%q fits no single combination of the last sync", key),
			Hint:    nearest(near, "") + " Map it to the name, code or uid of one",
		}}
	}
	traceFound(s, f, r.Value, &rules.Object{ID: found.ID, Code: found.Code, Name: found.Name})
	return found, nil
}

// severalFit is the failure of a value that is the name of several objects.
func severalFit(code string, f *rules.Field, key string, v any, ambiguous []string) *rules.Failure {
	return &rules.Failure{Problem: diag.Problem{
		Code: code, Place: placeOf(f), Field: key, Value: private(v),
		Message: fmt.Sprintf("%q is the name of several objects of the last sync", key),
		Hint:    "use the code or uid of the one that is meant: " + diag.Names(ambiguous[:min(5, len(ambiguous))], "or"),
	}}
}

func (a *attributeCombo) fromParts(s *rules.Scope) (*metadata.CategoryOptionCombo, *rules.Field, error) {
	var chosen []string
	for _, part := range a.parts {
		r, err := part.field.Eval(s)
		if err != nil {
			return nil, nil, err
		}
		ref, _ := value.Text(r.Value, nil)
		option, ambiguous, _ := a.w.x.CategoryOption(a.combo, strings.TrimSpace(ref))
		if option == nil && len(ambiguous) > 0 {
			return nil, nil, severalFit("ambiguous-category-option", part.field, part.category, r.Value, ambiguous)
		}
		if option == nil {
			return nil, nil, &rules.Failure{Problem: diag.Problem{
				Code: "unknown-category-option", Place: placeOf(part.field), Field: part.category, Value: private(r.Value),
				Message: fmt.Sprintf("%q fits no single category option of the last sync", part.category),
				Hint:    "map it to the name, code or uid of one",
			}}
		}
		chosen = append(chosen, option.ID)
	}
	for _, combo := range a.w.x.CombosOf(a.combo) {
		if len(combo.CategoryOptions) == len(chosen) &&
			!slices.ContainsFunc(combo.CategoryOptions, func(r metadata.Ref) bool { return !slices.Contains(chosen, r.ID) }) {
			return combo, a.parts[0].field, nil
		}
	}
	return nil, nil, &rules.Failure{Problem: diag.Problem{
		Code: "unknown-category-option-combo", Place: placeOf(a.parts[0].field), Field: "attribute_category_options",
		Message: "the category options do not make a combination of the last sync",
		Hint:    "check them, or update category option combinations in DHIS2 and sync",
	}}
}

// categoriesOf gives the categories of a combination, in its order.
func (w *env) categoriesOf(combo string) []*metadata.Category {
	var list []*metadata.Category
	c := w.x.CategoryComboByID(combo)
	if c == nil {
		return nil
	}
	for _, ref := range c.Categories {
		for i := range w.x.Snapshot.Categories {
			if w.x.Snapshot.Categories[i].ID == ref.ID {
				list = append(list, &w.x.Snapshot.Categories[i])
			}
		}
	}
	return list
}
