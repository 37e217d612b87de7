// Package geo reads positions and shapes in the forms in which sources write them: the GPS text of
// phones, GeoJSON, WKT, pairs of numbers.
package geo

import (
	"encoding/json"
	"errors"
	"strconv"
	"strings"
)

// Order says which of two bare numbers comes first.
type Order int

// Lists of two numbers come in both orders: KoboToolbox and Ona write [latitude, longitude]
// (_geolocation), GeoJSON (RFC 7946, 3.1.1) and DHIS2 [longitude, latitude].
const (
	Unknown Order = iota
	LatitudeFirst
	LongitudeFirst
	// LongitudeFirstInLists is that of GeoJSON's coordinates. Nothing is said of text: people call a
	// column or a question coordinates, too, and write into it what a map shows.
	LongitudeFirstInLists
)

// OrderOf gives the order of two numbers by the path of the field that holds them, where its name
// tells: _geolocation of KoboToolbox and Ona, coordinates of GeoJSON.
func OrderOf(path string) Order {
	switch {
	case hasLastName(path, "_geolocation"):
		return LatitudeFirst
	case hasLastName(path, "coordinates"):
		return LongitudeFirstInLists
	}
	return Unknown
}

func hasLastName(path, name string) bool {
	return path == name || strings.HasSuffix(path, "."+name) || strings.HasSuffix(path, `["`+name+`"]`)
}

// Kinds of shapes, as GeoJSON names them.
const (
	Point        = "Point"
	LineString   = "LineString"
	Polygon      = "Polygon"
	MultiPolygon = "MultiPolygon"
)

// Errors of Read.
var (
	// ErrPlace: it is no position or shape.
	ErrPlace = errors.New("is not a position")
	// ErrOrder: it is two numbers, and either could be the latitude.
	ErrOrder = errors.New("is two numbers of which either could be the latitude")
	// ErrRange: no such place is on earth.
	ErrRange = errors.New("is not a place on earth: latitudes go from -90 to 90, longitudes from -180 to 180")
)

// Limits of a shape from outside.
const (
	maxText   = 1 << 20
	maxPoints = 100_000
)

// Position is a place on earth, in degrees.
type Position struct{ Longitude, Latitude float64 }

// Shape is a position or an area. Polygons are lists of rings, the outer one first; a ring ends where it begins.
type Shape struct {
	Type     string
	Polygons [][][]Position // of a point: one polygon of one ring of one position
}

// PointAt gives the shape of a position.
func PointAt(p Position) *Shape { return &Shape{Type: Point, Polygons: [][][]Position{{{p}}}} }

// Position gives the place of a point.
func (s *Shape) Position() Position { return s.Polygons[0][0][0] }

// Text gives a position as DHIS2 and GeoJSON write it: [longitude,latitude].
func (p Position) Text() string { return "[" + degrees(p.Longitude) + "," + degrees(p.Latitude) + "]" }

func degrees(f float64) string { return strconv.FormatFloat(f, 'f', -1, 64) }

// As gives the shape as another kind: an area as several areas, several that are one as one. nil
// where it is not of the kind.
func (s *Shape) As(kind string) *Shape {
	switch {
	case s.Type == kind:
		return s
	case s.Type == Polygon && kind == MultiPolygon, s.Type == MultiPolygon && kind == Polygon && len(s.Polygons) == 1:
		return &Shape{Type: kind, Polygons: s.Polygons}
	}
	return nil
}

// GeoJSON gives the shape as a geometry object.
func (s *Shape) GeoJSON() json.RawMessage {
	var b strings.Builder
	b.WriteString(`{"type":"` + s.Type + `","coordinates":`)
	switch s.Type {
	case Point:
		b.WriteString(s.Position().Text())
	case LineString:
		writeRing(&b, s.Polygons[0][0])
	case Polygon:
		writeRings(&b, s.Polygons[0])
	default:
		b.WriteByte('[')
		for i, rings := range s.Polygons {
			if i > 0 {
				b.WriteByte(',')
			}
			writeRings(&b, rings)
		}
		b.WriteByte(']')
	}
	b.WriteByte('}')
	return json.RawMessage(b.String())
}

func writeRings(b *strings.Builder, rings [][]Position) {
	b.WriteByte('[')
	for i, ring := range rings {
		if i > 0 {
			b.WriteByte(',')
		}
		writeRing(b, ring)
	}
	b.WriteByte(']')
}

func writeRing(b *strings.Builder, ring []Position) {
	b.WriteByte('[')
	for i, p := range ring {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(p.Text())
	}
	b.WriteByte(']')
}

// Read reads a position or shape; nil, nil for what is blank, such as the [null, null] of a form
// without GPS. order is that of two bare numbers. The error is ErrPlace, ErrOrder or ErrRange.
func Read(v any, order Order) (*Shape, error) {
	switch v := v.(type) {
	case nil:
		return nil, nil
	case string:
		return readText(v, order)
	case []any:
		return readList(v, order)
	case map[string]any:
		return readObject(v, order)
	}
	return nil, ErrPlace
}

// readList reads two numbers.
func readList(list []any, order Order) (*Shape, error) {
	if isEmpty(list) {
		return nil, nil
	}
	if len(list) == 1 {
		return Read(list[0], order) // a repeated answer that was given once
	}
	if len(list) > 4 {
		return nil, ErrPlace
	}
	if order == LongitudeFirstInLists {
		order = LongitudeFirst
	}
	return pair(textOf(list[0]), textOf(list[1]), order)
}

func isEmpty(list []any) bool {
	for _, item := range list {
		if s, ok := item.(string); item != nil && !(ok && strings.TrimSpace(s) == "") {
			return false
		}
	}
	return true
}

// pair reads two numbers in an order. Where that is unknown, a number beyond 90 degrees must be the longitude.
func pair(first, second string, order Order) (*Shape, error) {
	a, err := number(first)
	if err != nil {
		return nil, err
	}
	b, err := number(second)
	if err != nil {
		return nil, err
	}
	switch {
	case order == LatitudeFirst, order == Unknown && (b > 90 || b < -90):
		return at(b, a)
	case order == LongitudeFirst, order == Unknown && (a > 90 || a < -90):
		return at(a, b)
	}
	return nil, ErrOrder
}

func at(longitude, latitude float64) (*Shape, error) {
	p := Position{longitude, latitude}
	if !p.onEarth() {
		return nil, ErrRange
	}
	return PointAt(p), nil
}

func (p Position) onEarth() bool {
	return p.Longitude >= -180 && p.Longitude <= 180 && p.Latitude >= -90 && p.Latitude <= 90
}

// number reads degrees as a decimal number.
func number(s string) (float64, error) {
	s = strings.TrimSpace(s)
	if s == "" || len(s) > 40 || strings.ContainsAny(s, "xX_pPnN") {
		return 0, ErrPlace
	}
	f, err := strconv.ParseFloat(s, 64)
	if err != nil {
		return 0, ErrPlace
	}
	if f == 0 {
		f = 0 // no minus zero
	}
	return f, nil
}

func textOf(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case float64:
		return strconv.FormatFloat(v, 'g', -1, 64)
	case int:
		return strconv.Itoa(v)
	case int64:
		return strconv.FormatInt(v, 10)
	case json.Number:
		return v.String()
	}
	return ""
}

// readObject reads GeoJSON, also inside a Feature, or an object with latitude and longitude.
func readObject(m map[string]any, order Order) (*Shape, error) {
	if text, ok := m["#text"].(string); ok {
		return readText(text, order) // an element of XML with attributes
	}
	switch kind, _ := m["type"].(string); kind {
	case "Feature":
		inner, ok := m["geometry"].(map[string]any)
		if !ok {
			return nil, blankOr(m["geometry"])
		}
		return readObject(inner, order)
	case Point, LineString, Polygon, MultiPolygon:
		return readGeoJSON(kind, m["coordinates"])
	}
	lon, hasLon := part(m, "longitude", "lon", "lng", "long")
	lat, hasLat := part(m, "latitude", "lat")
	switch {
	case !hasLon || !hasLat:
		return nil, ErrPlace
	case strings.TrimSpace(lon) == "" && strings.TrimSpace(lat) == "":
		return nil, nil
	}
	return pair(lon, lat, LongitudeFirst)
}

func blankOr(v any) error {
	if v == nil {
		return nil
	}
	return ErrPlace
}

func part(m map[string]any, names ...string) (string, bool) {
	for _, name := range names {
		if v, ok := m[name]; ok {
			return textOf(v), true
		}
	}
	return "", false
}
