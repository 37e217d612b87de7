package metadata

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/culvert/culvert/rules/geo"
)

// located gives org units of a level a geometry.
func (f *fakeServer) locate(level int, geometry func(i int) any) {
	i := 0
	for _, o := range f.lists[OrgUnits] {
		if fmt.Sprint(o["level"]) == fmt.Sprint(level) {
			o["geometry"] = geometry(i)
			i++
		}
	}
}

func outline(west, south, east, north float64) any {
	return thing{
		"type":        "Polygon",
		"coordinates": [][][2]float64{{{west, south}, {east, south}, {east, north}, {west, south}}},
	}
}

func point(i int) any {
	return thing{"type": "Point", "coordinates": [2]float64{30 + float64(i)/20, -5 - float64(i)/100}}
}

// TestSyncArea holds where a sync finds the country, and that shapes are asked for no more than needed.
func TestSyncArea(t *testing.T) {
	for _, test := range []struct {
		name   string
		locate func(f *fakeServer)
		want   *geo.Area
		shapes string // levels of which shapes were asked
	}{
		{"nowhere", func(*fakeServer) {}, nil, ""},
		{"the outline", func(f *fakeServer) {
			f.locate(1, func(int) any { return outline(29, -6, 34, -4) })
			f.locate(4, point)
		}, &geo.Area{West: 29, South: -6, East: 34, North: -4, Margin: 0.5}, "1"},
		{"regions", func(f *fakeServer) {
			f.locate(1, func(int) any { return thing{"type": "Point", "coordinates": [2]float64{31, -5}} })
			f.locate(2, func(i int) any { return outline(29+float64(i), -6, 30+float64(i), -4) })
		}, &geo.Area{West: 29, South: -6, East: 33, North: -4, Margin: 0.5}, "1 2"},
		{"facilities", func(f *fakeServer) { f.locate(4, point) },
			&geo.Area{West: 30, South: -5.71, East: 33.55, North: -5, Margin: 1}, "4"},
		{"some facilities", func(f *fakeServer) {
			f.locate(4, func(i int) any {
				if i%2 == 0 {
					return nil
				}
				return point(i)
			})
		}, &geo.Area{West: 30.05, South: -5.71, East: 33.55, North: -5.01, Margin: 1}, "4"},
		{"few facilities", func(f *fakeServer) {
			f.locate(4, func(i int) any {
				if i > 3 {
					return nil
				}
				return point(i)
			})
		}, nil, ""},
		{"what is no shape", func(f *fakeServer) {
			f.locate(1, func(int) any { return thing{"type": "Circle", "radius": 3} })
		}, nil, "1"},
	} {
		t.Run(test.name, func(t *testing.T) {
			f := newFake(t, "2.42")
			f.info["serverDate"] = "2026-11-23T12:00:00.000"
			test.locate(f)
			c := f.start(t)
			s := sync1(t, c, nil, Options{Warn: func(m string) { t.Error("warned:", m) }})
			if got := s.Server.Area; fmt.Sprint(got) != fmt.Sprint(test.want) || got != nil && *got != *test.want {
				t.Errorf("area %+v, want %+v", got, test.want)
			}
			var shapes []string
			for _, a := range f.asked {
				if level, ok := strings.CutPrefix(a, OrgUnits+" id,geometry level:eq:"); ok &&
					(len(shapes) == 0 || shapes[len(shapes)-1] != level) {
					shapes = append(shapes, level)
				}
			}
			if got := strings.Join(shapes, " "); got != test.shapes {
				t.Errorf("shapes of levels %q were asked for, want %q", got, test.shapes)
			}
			// Shapes do not lie in the snapshot; the box does, and an incremental sync keeps it.
			dir := filepath.Join(t.TempDir(), "national")
			if err := Write(dir, s); err != nil {
				t.Fatal(err)
			}
			read, err := Read(dir)
			if err != nil {
				t.Fatal(err)
			}
			f.asked = nil
			again := sync1(t, c, read, Options{})
			if fmt.Sprint(again.Server.Area) != fmt.Sprint(test.want) ||
				strings.Contains(strings.Join(f.asked, ";"), "geometry") {
				t.Errorf("the second sync found %v and asked %s", again.Server.Area, f.asked)
			}
		})
	}
}

// TestSyncAreaRefused holds that a server that does not say where its org units lie is synced all the same.
func TestSyncAreaRefused(t *testing.T) {
	f := newFake(t, "2.42")
	f.refuses = "geometry:!null"
	var warned []string
	s := sync1(t, f.start(t), nil, Options{Warn: func(m string) { warned = append(warned, m) }})
	if s.Server.Area != nil || len(warned) != 1 || !strings.Contains(warned[0], "where the country lies") {
		t.Errorf("area %v, warned %q", s.Server.Area, warned)
	}
}
