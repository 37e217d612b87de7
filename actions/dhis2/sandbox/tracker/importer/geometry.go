package importer

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"strconv"

	"github.com/culvert/culvert/actions/dhis2/sandbox/jsontree"
)

// geometryDepth is how deep the coordinates of each type of geometry are nested.
var geometryDepth = map[string]int{"Point": 0, "MultiPoint": 1, "LineString": 1, "MultiLineString": 2, "Polygon": 2,
	"MultiPolygon": 3}

// degree is a number of a place, which DHIS2 writes with a fraction always: 31.0.
type degree float64

// MarshalJSON writes a number of a place.
func (g degree) MarshalJSON() ([]byte, error) {
	text, err := json.Marshal(float64(g))
	if err == nil && !bytes.ContainsAny(text, ".e") {
		text = append(text, ".0"...)
	}
	return text, err
}

func (d *bundleDecoder) geometry(n *jsontree.Node) json.RawMessage {
	v := n.Get("geometry")
	if v == nil {
		return nil
	}
	if v.Kind != jsontree.Object {
		d.Fail("Cannot deserialize a geometry from %s", v.Kind)
		return nil
	}
	shape := d.shape(v)
	if shape == nil {
		return nil
	}
	b, err := json.Marshal(shape)
	if err != nil {
		d.Fail("The geometry cannot be read: %v", err)
	}
	return b
}

// shape reads one geometry, or a collection of them.
func (d *bundleDecoder) shape(n *jsontree.Node) object {
	kind := d.Text(n, "type")
	if kind == "GeometryCollection" {
		shapes := []any{}
		for _, it := range d.List(n, "geometries") {
			shapes = append(shapes, d.shape(it))
		}
		return object{"type": kind, "geometries": shapes}
	}
	depth, ok := geometryDepth[kind]
	if !ok {
		d.Fail("The geometry type %q is not known", kind)
		return nil
	}
	coordinates, ok := d.coordinates(n.Get("coordinates"), depth, kind == "Polygon" || kind == "MultiPolygon")
	if !ok {
		return nil
	}
	return object{"type": kind, "coordinates": coordinates}
}

func (d *bundleDecoder) coordinates(n *jsontree.Node, depth int, closed bool) (any, bool) {
	if n == nil || n.Kind != jsontree.Array {
		d.Fail("The coordinates of a geometry are missing or no array")
		return nil, false
	}
	if depth == 0 {
		if len(n.Items) < 2 {
			d.Fail("Cannot invoke \"com.fasterxml.jackson.databind.JsonNode.asDouble()\" because the return value of " +
				"\"com.fasterxml.jackson.databind.JsonNode.get(int)\" is null")
			return nil, false
		}
		out := make([]degree, 2)
		for i := range out {
			f, err := strconv.ParseFloat(n.Items[i].Text, 64)
			if err != nil || math.IsInf(f, 0) {
				f = 0 // as DHIS2's parser: what is no number counts as zero
			}
			out[i] = degree(f)
		}
		return out, true
	}
	if len(n.Items) == 0 && closed {
		d.Fail("The coordinates of a polygon have no ring")
		return nil, false
	}
	out := make([]any, 0, len(n.Items))
	for _, it := range n.Items {
		v, ok := d.coordinates(it, depth-1, closed)
		if !ok {
			return nil, false
		}
		out = append(out, v)
	}
	if depth == 1 && closed && (len(out) < 3 || fmt.Sprint(out[0]) != fmt.Sprint(out[len(out)-1])) {
		d.Fail("Points of LinearRing do not form a closed linestring")
		return nil, false
	}
	return out, true
}
