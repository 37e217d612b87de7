package geo

import (
	"encoding/json"
	"errors"
	"testing"
)

func TestRead(t *testing.T) {
	const square = `{"type":"Polygon","coordinates":[[[30,-1],[31,-1],[31,-2],[30,-1]]]}`
	for _, test := range []struct {
		name  string
		in    any
		order Order
		want  string // GeoJSON; "" for blank
		err   error
	}{
		{name: "Kobo", in: []any{-5.21, 31.15}, order: LatitudeFirst, want: `{"type":"Point","coordinates":[31.15,-5.21]}`},
		{name: "Kobo without GPS", in: []any{nil, nil}, order: LatitudeFirst},
		{name: "list, order unknown", in: []any{-5.21, 31.15}, err: ErrOrder},
		{name: "list, order told by its size", in: []any{14.6, 120.98}, want: `{"type":"Point","coordinates":[120.98,14.6]}`},
		{name: "list, longitude beyond 90 first", in: []any{"120.98", "14.6"},
			want: `{"type":"Point","coordinates":[120.98,14.6]}`},
		{name: "latitude beyond 90", in: []any{120.98, 14.6}, order: LatitudeFirst, err: ErrRange},
		{name: "empty list", in: []any{}},
		{name: "GPS of a phone", in: "-5.21 31.15 1200.5 4.2", want: `{"type":"Point","coordinates":[31.15,-5.21]}`},
		{name: "two numbers with a comma", in: "-5.21, 31.15", err: ErrOrder},
		{name: "two numbers with a comma, order told", in: "31.15, -5.21", order: LongitudeFirst,
			want: `{"type":"Point","coordinates":[31.15,-5.21]}`},
		{name: "two numbers with a space, order told", in: "31.15 -5.21", order: LongitudeFirst,
			want: `{"type":"Point","coordinates":[31.15,-5.21]}`},
		{name: "GPS with commas", in: "-5.21,31.15,1200.5,4.2", want: `{"type":"Point","coordinates":[31.15,-5.21]}`},
		{name: "KML", in: "31.15,-5.21,1200.5", err: ErrOrder},
		{name: "KML, order told", in: "31.15,-5.21,1200.5", order: LongitudeFirst,
			want: `{"type":"Point","coordinates":[31.15,-5.21]}`},
		{name: "KML, only one can be the latitude", in: "131.15,-5.21,0", want: `{"type":"Point","coordinates":[131.15,-5.21]}`},
		{name: "decimal commas", in: "-5,21,31,15", err: ErrPlace},
		{name: "list called coordinates", in: []any{31.15, -5.21}, order: LongitudeFirstInLists,
			want: `{"type":"Point","coordinates":[31.15,-5.21]}`},
		{name: "text called coordinates", in: "-5.21, 31.15", order: LongitudeFirstInLists, err: ErrOrder},
		{name: "GPS called coordinates", in: "-5.21 31.15 0 4", order: LongitudeFirstInLists,
			want: `{"type":"Point","coordinates":[31.15,-5.21]}`},
		{name: "DHIS2", in: "[31.15,-5.21]", want: `{"type":"Point","coordinates":[31.15,-5.21]}`},
		{name: "parts", in: map[string]any{"lat": "-5.21", "lng": 31.15},
			want: `{"type":"Point","coordinates":[31.15,-5.21]}`},
		{name: "parts that are blank", in: map[string]any{"latitude": nil, "longitude": ""}},
		{name: "one part", in: map[string]any{"latitude": 1.0}, err: ErrPlace},
		{name: "GeoJSON", in: map[string]any{"type": "Point", "coordinates": []any{31.15, -5.21, 1200.0},
			"properties": map[string]any{"accuracy": 4.0}},
			want: `{"type":"Point","coordinates":[31.15,-5.21]}`},
		{name: "GeoJSON in text", in: `{"type":"Point","coordinates":[31.15,-5.21]}`,
			want: `{"type":"Point","coordinates":[31.15,-5.21]}`},
		{name: "feature", in: map[string]any{"type": "Feature",
			"geometry": map[string]any{"type": "Point", "coordinates": []any{1.0, 2.0}}},
			want: `{"type":"Point","coordinates":[1,2]}`},
		{name: "feature without geometry", in: map[string]any{"type": "Feature", "geometry": nil}},
		{name: "GeoJSON area", in: square, want: square},
		{name: "GeoJSON area that is not closed", in: `{"type":"Polygon","coordinates":[[[30,-1],[31,-1],[31,-2]]]}`,
			want: square},
		{name: "GeoJSON with text", in: `{"type":"Point","coordinates":["x",2]}`, err: ErrPlace},
		{name: "WKT", in: "POINT (31.15 -5.21)", want: `{"type":"Point","coordinates":[31.15,-5.21]}`},
		{name: "WKT with height", in: "point z(31.15 -5.21 1200)", want: `{"type":"Point","coordinates":[31.15,-5.21]}`},
		{name: "EWKT", in: "SRID=4326;POINT(31.15 -5.21)", want: `{"type":"Point","coordinates":[31.15,-5.21]}`},
		{name: "EWKT in metres", in: "SRID=32736;POINT(500000 9000000)", err: ErrPlace},
		{name: "WKT empty", in: "POINT EMPTY"},
		{name: "WKT area", in: "POLYGON((30 -1, 31 -1, 31 -2, 30 -1))", want: square},
		{name: "WKT areas", in: "MULTIPOLYGON(((30 -1,31 -1,31 -2,30 -1)))",
			want: `{"type":"MultiPolygon","coordinates":[[[[30,-1],[31,-1],[31,-2],[30,-1]]]]}`},
		{name: "WKT beyond the earth", in: "POINT(200 1)", err: ErrRange},
		{name: "WKT cut off", in: "POLYGON((30 -1, 31 -1", err: ErrPlace},
		{name: "geoshape", in: "-1 30 0 0; -1 31 0 0; -2 31 0 0; -1 30 0 0", want: square},
		{name: "geotrace", in: "-1 30 0 0;-1 31 0 0;", want: `{"type":"LineString","coordinates":[[30,-1],[31,-1]]}`},
		{name: "XML with attributes", in: map[string]any{"#text": "-5.21 31.15", "@xmlns": "x"},
			want: `{"type":"Point","coordinates":[31.15,-5.21]}`},
		{name: "words", in: "near the market", err: ErrPlace},
		{name: "not a number", in: "NaN NaN", err: ErrPlace},
		{name: "a truth", in: true, err: ErrPlace},
	} {
		t.Run(test.name, func(t *testing.T) {
			s, err := Read(test.in, test.order)
			if !errors.Is(err, test.err) {
				t.Fatalf("Read() error = %v, want %v", err, test.err)
			}
			got := ""
			if s != nil {
				got = string(s.GeoJSON())
			}
			if err == nil && got != test.want {
				t.Errorf("Read() = %s, want %s", got, test.want)
			}
		})
	}
}

func TestDoubt(t *testing.T) {
	country := &Area{West: 29, South: -6, East: 34, North: -4, Margin: 1}
	for _, test := range []struct {
		place any
		want  Doubt
	}{
		{"-5.2 31.1", NoDoubt}, {"-6.9 28.1", NoDoubt}, {"-7.1 31", Elsewhere}, {"31.1 -5.2", Exchanged},
		{"5.2 31.1", SignLost}, {"-5.2 -31.1", SignLost}, {"0 0", NoPosition}, {"51.5 -0.1", Elsewhere},
		{"POLYGON((30 -5, 31 -5, 31 -50, 30 -5))", Elsewhere}, {"-5 30;-5 31;-5.5 31;-5 30", NoDoubt},
	} {
		s, err := Read(test.place, Unknown)
		if err != nil {
			t.Fatal(err)
		}
		if got := country.Doubt(s); got != test.want {
			t.Errorf("Doubt(%v) = %v, want %v", test.place, got, test.want)
		}
		if got := (*Area)(nil).Doubt(s); got != NoDoubt {
			t.Errorf("without an area: Doubt(%v) = %v", test.place, got)
		}
	}
}

func TestSurveyor(t *testing.T) {
	survey := func(places ...any) *Area {
		var v Surveyor
		for _, place := range places {
			s, err := Read(place, Unknown)
			if err != nil {
				t.Fatal(err)
			}
			v.Add(s)
		}
		return v.Area()
	}
	if got := survey(); got != nil {
		t.Errorf("the area of nothing is %v", got)
	}
	if got := survey("0 0"); got != nil {
		t.Errorf("the area of a clinic at 0, 0 is %v", got)
	}
	outline := survey("POLYGON((29.001 -6, 34 -6, 34 -4.009, 29.001 -6))")
	if want := (Area{West: 29, South: -6, East: 34, North: -4, Margin: 0.5}); *outline != want {
		t.Errorf("the area of an outline is %+v", *outline)
	}
	var clinics []any
	for i := range 40 {
		clinics = append(clinics, PointAt(Position{30 + float64(i)/20, -5 + float64(i)/40}).Position().Text())
	}
	want := Area{West: 30, South: -5, East: 31.95, North: -4.02, Margin: 1}
	if got := survey(clinics...); *got != want {
		t.Errorf("the area of clinics is %+v", *got)
	}
	// one that was exchanged, one without a position
	if got := survey(append(clinics, "[-5,30]", "[0,0]")...); *got != want {
		t.Errorf("the area of clinics, two of them wrong, is %+v", *got)
	}
}

func FuzzRead(f *testing.F) {
	for _, s := range []string{"-5.21 31.15", "POLYGON((30 -1, 31 -1, 31 -2, 30 -1))",
		`{"type":"Point","coordinates":[1,2]}`, "1 2;3 4", "SRID=4326;POINT(1 2)", "MULTIPOLYGON((("} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		s, err := Read(text, Unknown)
		if err != nil || s == nil {
			return
		}
		if !json.Valid(s.GeoJSON()) {
			t.Fatalf("%q gives %s", text, s.GeoJSON())
		}
		again, err := Read(string(s.GeoJSON()), Unknown)
		if err != nil || string(again.GeoJSON()) != string(s.GeoJSON()) {
			t.Fatalf("%q is not the same when read again: %v", text, err)
		}
	})
}
