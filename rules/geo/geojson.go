package geo

import "encoding/json"

// readGeoJSON reads the coordinates of a GeoJSON geometry (RFC 7946, 3.1). Heights are left out.
func readGeoJSON(kind string, coordinates any) (*Shape, error) {
	list, ok := coordinates.([]any)
	if !ok {
		return nil, blankOr(coordinates)
	}
	if isEmpty(list) {
		return nil, nil
	}
	r := jsonReader{left: maxPoints}
	s := &Shape{Type: kind}
	switch kind {
	case Point:
		p := r.position(list)
		s.Polygons = [][][]Position{{{p}}}
	case LineString:
		s.Polygons = [][][]Position{{r.ring(list)}}
	case Polygon:
		s.Polygons = [][][]Position{r.rings(list)}
	default:
		for _, item := range list {
			polygon, ok := item.([]any)
			if !ok {
				return nil, ErrPlace
			}
			s.Polygons = append(s.Polygons, r.rings(polygon))
		}
	}
	if r.err != nil {
		return nil, r.err
	}
	return s.checked()
}

// jsonReader reads lists of numbers; its error is the first.
type jsonReader struct {
	left int
	err  error
}

func (r *jsonReader) fail(err error) {
	if r.err == nil {
		r.err = err
	}
}

func (r *jsonReader) position(list []any) (p Position) {
	if r.left--; r.left < 0 || len(list) < 2 || len(list) > 4 {
		r.fail(ErrPlace)
		return p
	}
	var err error
	if p.Longitude, err = number(textOf(list[0])); err != nil {
		r.fail(err)
	}
	if p.Latitude, err = number(textOf(list[1])); err != nil {
		r.fail(err)
	}
	return p
}

func (r *jsonReader) ring(list []any) (ring []Position) {
	for _, item := range list {
		point, ok := item.([]any)
		if !ok || r.err != nil {
			r.fail(ErrPlace)
			return nil
		}
		ring = append(ring, r.position(point))
	}
	return ring
}

func (r *jsonReader) rings(list []any) (rings [][]Position) {
	for _, item := range list {
		ring, ok := item.([]any)
		if !ok || r.err != nil {
			r.fail(ErrPlace)
			return nil
		}
		rings = append(rings, r.ring(ring))
	}
	return rings
}

// parseJSON reads GeoJSON that stands in a text.
func parseJSON(text string, order Order) (*Shape, error) {
	var v any
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		return nil, ErrPlace
	}
	if list, ok := v.([]any); ok {
		if order == Unknown {
			order = LongitudeFirst // a text in brackets is how DHIS2 itself writes a position
		}
		return readList(list, order)
	}
	if object, ok := v.(map[string]any); ok {
		return readObject(object, order)
	}
	return nil, ErrPlace
}

// checked tells whether a shape is whole and on earth. Rings that do not end where they begin, as
// phones send them, are closed.
func (s *Shape) checked() (*Shape, error) {
	for _, rings := range s.Polygons {
		if len(rings) == 0 {
			return nil, ErrPlace
		}
		for i, ring := range rings {
			for _, p := range ring {
				if !p.onEarth() {
					return nil, ErrRange
				}
			}
			if s.Type == Point {
				continue
			}
			if s.Type != LineString && len(ring) > 0 && ring[0] != ring[len(ring)-1] {
				ring = append(ring, ring[0])
				rings[i] = ring
			}
			if len(ring) < 2 || s.Type != LineString && len(ring) < 4 {
				return nil, ErrPlace
			}
		}
	}
	if len(s.Polygons) == 0 {
		return nil, ErrPlace
	}
	return s, nil
}
