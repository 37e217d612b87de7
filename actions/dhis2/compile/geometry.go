package compile

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/culvert/culvert/actions/dhis2/value"
	"github.com/culvert/culvert/rules"
	"github.com/culvert/culvert/rules/diag"
	"github.com/culvert/culvert/rules/expression"
	"github.com/culvert/culvert/rules/geo"
	"github.com/culvert/culvert/rules/yamlnode"
)

// geometryField is where an object lies: a position or an area.
type geometryField struct {
	key      string       // of the rule
	kind     string       // of GeoJSON
	field    *rules.Field // any form of shape
	order    geo.Order    // of two bare numbers in it
	lat, lon *rules.Field // or the parts of a position
	country  *geo.Area    // nil: not known
}

// geometryKinds are the shapes of GeoJSON by the feature types that DHIS2 takes them for (GeoValidator, E1012).
var geometryKinds = map[string]string{"POINT": geo.Point, "POLYGON": geo.Polygon, "MULTI_POLYGON": geo.MultiPolygon}

// geometry compiles a key that holds a shape. feature is the feature type that the metadata allows.
func (c *compiler) geometry(key, feature, of string) *geometryField {
	n := c.node(key)
	if n == nil {
		return nil
	}
	g := &geometryField{key: key, kind: geometryKinds[feature]}
	if g.kind == "" {
		c.errorAt(c.spec.Body.Key(key).Place(), "no-geometry",
			"choose the feature type Point or Polygon for it in DHIS2 and sync, or leave the key out",
			"%s has no geometry that can be written", of)
		return nil
	}
	return c.shapeOf(n, g, of)
}

// shapeOf compiles what gives a shape. Without a kind any is right.
func (c *compiler) shapeOf(n *yamlnode.Node, g *geometryField, of string) *geometryField {
	if g = c.partsOf(n, g, of); g == nil {
		return nil
	}
	g.country = c.context.Area
	first := g.field
	if first == nil {
		first = g.lat
	}
	if in, ok := g.literal(); ok {
		c.checkShape(first.Place, g, in)
	} else {
		first.TryOnSample = g.doubt
	}
	return g
}

// literal gives a shape that the rule itself writes.
func (g *geometryField) literal() (in any, ok bool) {
	if g.field != nil {
		return g.field.Literal()
	}
	lat, ok1 := g.lat.Literal()
	lon, ok2 := g.lon.Literal()
	return map[string]any{"latitude": lat, "longitude": lon}, ok1 && ok2
}

// checkShape checks a shape that the rule itself writes, which needs no record.
func (c *compiler) checkShape(at diag.Place, g *geometryField, in any) {
	shape, err := geo.Read(in, g.order)
	if err != nil {
		p := value.PlaceProblem(err)
		c.errorAt(at, literalCode(p.Code), p.Hint, "the value of %q %s", g.key, p.Message)
		return
	}
	if p := value.PlaceRemark(shape, g.country); p != nil {
		c.warnAt(at, p.Code, p.Hint, "the value of %q %s", g.key, p.Message)
	}
}

func (c *compiler) partsOf(n *yamlnode.Node, g *geometryField, of string) *geometryField {
	lat, lon := n.Get("latitude"), n.Get("longitude")
	if lat != nil || lon != nil {
		switch {
		case lat == nil || lon == nil:
			c.errorAt(n.Place(), "wrong-shape", "give latitude and longitude", "a position needs both parts")
			return nil
		case g.kind != geo.Point && g.kind != "":
			c.errorAt(n.Place(), "no-geometry",
				"give the shape as GeoJSON, as WKT or as a form's area, or choose the feature type Point in DHIS2 and sync",
				"%s has an area as its geometry, not a position", of)
			return nil
		}
		g.lat, g.lon = c.fieldOf("latitude", lat), c.fieldOf("longitude", lon)
		if g.lat == nil || g.lon == nil {
			return nil
		}
		return g
	}
	if g.field = c.fieldOf(g.key, n); g.field == nil {
		return nil
	}
	g.order = c.orderOf(g.key, g.field)
	return g
}

// orderOf gives the order of the two numbers of a position, and reports a list of which it cannot be told.
func (c *compiler) orderOf(name string, f *rules.Field) geo.Order {
	if f.From == nil {
		return geo.Unknown
	}
	order := geo.Unknown
	for i, path := range f.From.Paths() {
		if next := geo.OrderOf(path); i == 0 || next == order {
			order = next
		} else {
			order = geo.Unknown
			break
		}
	}
	if order == geo.Unknown && f.From.Shape().IsList() {
		c.errorAt(f.From.Place, "position-order",
			fmt.Sprintf(`write coordinate(%s, "latitude first") or "longitude first", as the source sends them`, f.From.Text),
			"%q is a list of two numbers, of which either could be the latitude", name)
	}
	return order
}

// eval gives GeoJSON; nil when it is blank.
func (g *geometryField) eval(s *rules.Scope) (json.RawMessage, error) {
	if g == nil {
		return nil, nil
	}
	shape, in, err := g.read(s)
	if err != nil || shape == nil {
		return nil, err
	}
	if remark := value.PlaceRemark(shape, g.country); remark != nil {
		s.Remark(g.failure(in, remark))
	}
	return shape.GeoJSON(), nil
}

// read gives the shape, nil when it is blank, and what it was read from.
func (g *geometryField) read(s *rules.Scope) (shape *geo.Shape, in any, err error) {
	if g.field != nil {
		r, err := g.field.Eval(s)
		if err != nil || r.Blank {
			return nil, nil, err
		}
		in = r.Value
	} else {
		parts, err := g.halves(s)
		switch {
		case err != nil || len(parts) == 0:
			return nil, nil, err
		case len(parts) == 1:
			return nil, nil, g.failure(parts, &diag.Problem{Code: "wrong-type",
				Message: "has one of latitude and longitude, and not the other", Hint: "give both in the source, or none"})
		}
		in = parts
	}
	if shape, err = geo.Read(in, g.order); err != nil {
		return nil, nil, g.failure(in, value.PlaceProblem(err))
	}
	if g.kind != "" && shape != nil {
		if shape = shape.As(g.kind); shape == nil {
			return nil, nil, g.failure(in, &diag.Problem{
				Code: "wrong-type", Message: "is another kind of shape than the " + g.kind + " that DHIS2 asks for here",
				Hint: "send a " + g.kind + ", or choose another feature type in DHIS2 and sync",
			})
		}
	}
	return shape, in, nil
}

// doubt is what is to be said of the shape of a record of the sample: that it is none, or of another
// kind than DHIS2 asks for, or where it lies. nil when nothing is, or there is no shape.
func (g *geometryField) doubt(s *rules.Scope) *rules.Failure {
	shape, in, err := g.read(s)
	if f, ok := errors.AsType[*rules.Failure](err); ok && f.Place == g.place() {
		return f
	}
	if err != nil || shape == nil {
		return nil
	}
	if remark := value.PlaceRemark(shape, g.country); remark != nil {
		return g.failure(in, remark)
	}
	return nil
}

// orderUnknown is the failure of a position of which nobody can tell which number is the latitude;
// nil for all others.
func orderUnknown(err error) *rules.Failure {
	if f, ok := errors.AsType[*rules.Failure](err); ok && f.Code == expression.CodePositionOrder {
		return f
	}
	return nil
}

// halves gives those of latitude and longitude that are not blank.
func (g *geometryField) halves(s *rules.Scope) (map[string]any, error) {
	parts := map[string]any{}
	for name, part := range map[string]*rules.Field{"latitude": g.lat, "longitude": g.lon} {
		r, err := part.Eval(s)
		if err != nil {
			return nil, err
		}
		if !r.Blank {
			parts[name], _ = value.Text(r.Value, nil) // a list is no number, and is refused below
		}
	}
	return parts, nil
}

// place is where the rule says what the shape is.
func (g *geometryField) place() diag.Place {
	if g.field != nil {
		return placeOf(g.field)
	}
	return placeOf(g.lat)
}

func (g *geometryField) failure(in any, p *diag.Problem) *rules.Failure {
	f := g.field
	if f == nil {
		f = g.lat
	}
	failure := &rules.Failure{Problem: diag.Problem{
		Code: p.Code, Place: placeOf(f), Field: g.key, Column: f.Column(), Value: private(in),
		Message: fmt.Sprintf("%q %s", g.key, p.Message), Hint: p.Hint,
	}}
	if failure.Value != "" && rules.IsNoAnswer(failure.Value) {
		failure.Hint = declareMissing
	}
	return failure
}
