package geo

import (
	"strings"
)

// readText reads GPS text, WKT, GeoJSON, or [longitude,latitude].
func readText(s string, order Order) (*Shape, error) {
	s = strings.TrimSpace(s)
	if order == LongitudeFirstInLists {
		order = Unknown
	}
	switch {
	case s == "" || s == "---":
		return nil, nil
	case len(s) > maxText:
		return nil, ErrPlace
	case s[0] == '{' || s[0] == '[':
		return parseJSON(s, order)
	}
	upper := strings.ToUpper(s[:min(len(s), 40)])
	for _, word := range []string{"SRID=", "POINT", "LINESTRING", "POLYGON", "MULTIPOLYGON"} {
		if strings.HasPrefix(upper, word) {
			return readWKT(s)
		}
	}
	if strings.Contains(s, ";") {
		return readTrace(s)
	}
	return readGPS(s, order)
}

// readGPS reads "latitude longitude altitude accuracy" as phones write it, with spaces or commas
// between. Two numbers with a comma alone come in both orders, and so do three: KML writes "longitude,latitude,altitude".
func readGPS(s string, order Order) (*Shape, error) {
	parts := strings.Fields(s)
	if strings.Contains(s, ",") {
		parts = strings.Split(s, ",")
	}
	if len(parts) < 2 || len(parts) > 4 {
		return nil, ErrPlace
	}
	if len(parts) > 2 && strings.Contains(s, ",") && !strings.Contains(parts[0]+parts[1], ".") {
		return nil, ErrPlace // -1,28,36,82: commas that may be decimal ones
	}
	if order == Unknown && (len(parts) > 3 || !strings.Contains(s, ",")) {
		order = LatitudeFirst
	}
	return pair(parts[0], parts[1], order)
}

// readTrace reads the places of a line or area as ODK and KoboToolbox write them, "lat lon alt acc;
// lat lon alt acc": what ends where it begins is an area (geoshape), anything else a line
// (geotrace).
func readTrace(s string) (*Shape, error) {
	var ring []Position
	for part := range strings.SplitSeq(s, ";") {
		if strings.TrimSpace(part) == "" {
			continue
		}
		if len(ring) == maxPoints {
			return nil, ErrPlace
		}
		point, err := readGPS(strings.TrimSpace(part), Unknown)
		if err != nil {
			return nil, err
		}
		ring = append(ring, point.Position())
	}
	switch {
	case len(ring) == 0:
		return nil, nil
	case len(ring) == 1:
		return PointAt(ring[0]), nil
	}
	kind := LineString
	if len(ring) > 3 && ring[0] == ring[len(ring)-1] {
		kind = Polygon
	}
	return (&Shape{Type: kind, Polygons: [][][]Position{{ring}}}).checked()
}

// readWKT reads well-known text (OGC 06-103r4, 7): longitude before latitude, heights and measures left out.
func readWKT(s string) (*Shape, error) {
	if rest, ok := cutPrefixFold(s, "SRID="); ok {
		id, body, found := strings.Cut(rest, ";")
		if !found || strings.TrimSpace(id) != "4326" {
			return nil, ErrPlace // degrees are asked for, and other systems count in metres
		}
		s = strings.TrimSpace(body)
	}
	for _, kind := range []string{MultiPolygon, Polygon, LineString, Point} {
		rest, ok := cutPrefixFold(s, kind)
		if !ok {
			continue
		}
		rest = strings.TrimSpace(rest)
		for _, dimension := range []string{"ZM", "Z", "M"} {
			if inner, ok := cutPrefixFold(rest, dimension); ok {
				rest = strings.TrimSpace(inner)
				break
			}
		}
		if strings.EqualFold(rest, "EMPTY") {
			return nil, nil
		}
		return readWKTBody(kind, rest)
	}
	return nil, ErrPlace
}

func cutPrefixFold(s, prefix string) (string, bool) {
	if len(s) >= len(prefix) && strings.EqualFold(s[:len(prefix)], prefix) {
		return s[len(prefix):], true
	}
	return s, false
}

// readWKTBody reads the brackets of a shape.
func readWKTBody(kind, text string) (*Shape, error) {
	w := wktReader{text: text, left: maxPoints}
	s := &Shape{Type: kind}
	switch kind {
	case Point, LineString:
		s.Polygons = [][][]Position{{w.ring()}}
	case Polygon:
		s.Polygons = [][][]Position{w.rings()}
	default:
		w.list(func() { s.Polygons = append(s.Polygons, w.rings()) })
	}
	if w.failed || strings.TrimSpace(w.text) != "" || kind == Point && len(s.Polygons[0][0]) != 1 {
		return nil, ErrPlace
	}
	return s.checked()
}

type wktReader struct {
	text   string // that is left to read
	left   int    // positions that may still come
	failed bool
}

// take reads one sign.
func (w *wktReader) take(sign byte) bool {
	w.text = strings.TrimLeft(w.text, " \t\r\n")
	if w.text != "" && w.text[0] == sign {
		w.text = w.text[1:]
		return true
	}
	return false
}

// list reads items in brackets, with commas between them.
func (w *wktReader) list(item func()) {
	if !w.take('(') {
		w.failed = true
		return
	}
	for !w.failed {
		item()
		if w.take(')') {
			return
		}
		if !w.take(',') {
			w.failed = true
		}
	}
}

func (w *wktReader) rings() (rings [][]Position) {
	w.list(func() { rings = append(rings, w.ring()) })
	return rings
}

func (w *wktReader) ring() (ring []Position) {
	w.list(func() {
		end := strings.IndexAny(w.text, ",()")
		if w.left--; end < 0 || w.left < 0 {
			w.failed = true
			return
		}
		parts := strings.Fields(w.text[:end])
		w.text = w.text[end:]
		if len(parts) < 2 || len(parts) > 4 {
			w.failed = true
			return
		}
		lon, errLon := number(parts[0])
		lat, errLat := number(parts[1])
		if errLon != nil || errLat != nil {
			w.failed = true
			return
		}
		ring = append(ring, Position{lon, lat})
	})
	return ring
}
