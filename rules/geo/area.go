package geo

import (
	"fmt"
	"math"
	"slices"
)

// Area is where a country lies: the box of its org units, in degrees, and how far outside of it
// positions are still believed.
type Area struct {
	West   float64 `json:"west"`
	South  float64 `json:"south"`
	East   float64 `json:"east"`
	North  float64 `json:"north"`
	Margin float64 `json:"margin"`
}

// Doubt says why a position is doubted.
type Doubt int

// What a position may be that does not lie where it should.
const (
	NoDoubt    Doubt = iota
	Elsewhere        // far outside, and nothing tells why
	Exchanged        // with latitude and longitude exchanged it would lie inside
	SignLost         // with the other sign of the latitude, the longitude or both it would lie inside
	NoPosition       // 0, 0: what devices and forms write that know no position
)

// Doubt tells whether a part of a shape lies far outside of the area, and why that may be. Without
// an area nothing is doubted.
func (a *Area) Doubt(s *Shape) Doubt {
	if a == nil || s == nil {
		return NoDoubt
	}
	for p := range s.positions {
		if a.near(p) {
			continue
		}
		switch {
		case p == Position{}:
			return NoPosition
		case a.near(Position{Longitude: p.Latitude, Latitude: p.Longitude}):
			return Exchanged
		case a.near(Position{p.Longitude, -p.Latitude}), a.near(Position{-p.Longitude, p.Latitude}),
			a.near(Position{-p.Longitude, -p.Latitude}):
			return SignLost
		}
		return Elsewhere
	}
	return NoDoubt
}

func (a *Area) near(p Position) bool {
	return p.Longitude >= a.West-a.Margin && p.Longitude <= a.East+a.Margin &&
		p.Latitude >= a.South-a.Margin && p.Latitude <= a.North+a.Margin
}

// String gives the box as people read positions.
func (a *Area) String() string {
	return fmt.Sprintf("latitude %s to %s, longitude %s to %s", degrees(a.South), degrees(a.North), degrees(a.West),
		degrees(a.East))
}

// positions gives every position of a shape.
func (s *Shape) positions(yield func(Position) bool) {
	for _, rings := range s.Polygons {
		for _, ring := range rings {
			for _, p := range ring {
				if !yield(p) {
					return
				}
			}
		}
	}
}

// Surveyor finds the area of a country by the shapes of its org units.
type Surveyor struct {
	boxes  []Area
	points int
}

// Add takes the shape of one org unit. It does not count one at 0, 0, which is what is written where
// nothing is known.
func (v *Surveyor) Add(s *Shape) {
	box := Area{West: math.Inf(1), South: math.Inf(1), East: math.Inf(-1), North: math.Inf(-1)}
	for p := range s.positions {
		if p == (Position{}) && s.Type == Point {
			return
		}
		box.include(Area{West: p.Longitude, South: p.Latitude, East: p.Longitude, North: p.Latitude})
	}
	if math.IsInf(box.West, 0) {
		return
	}
	if s.Type == Point {
		v.points++
	}
	v.boxes = append(v.boxes, box)
}

func (a *Area) include(b Area) {
	a.West, a.South = min(a.West, b.West), min(a.South, b.South)
	a.East, a.North = max(a.East, b.East), max(a.North, b.North)
}

// Margins in degrees; one is some 111 km. What is near a border is not far outside.
const (
	areaMargin  = 0.5  // about shapes, at least
	pointMargin = 1    // about points, beyond which the country goes on, at least
	areaShare   = 0.1  // of the country's size
	pointShare  = 0.25 // of the country's size
)

// Area gives the box of what was added, rounded outwards to a hundredth; nil when that was nothing.
// What lies far from nearly all others, such as a clinic whose position was exchanged, is not
// counted: DHIS2 does not check positions of org units.
func (v *Surveyor) Area() *Area {
	if len(v.boxes) == 0 {
		return nil
	}
	out := Area{West: math.Inf(1), South: math.Inf(1), East: math.Inf(-1), North: math.Inf(-1)}
	west, east := v.usual(func(b Area) float64 { return (b.West + b.East) / 2 })
	south, north := v.usual(func(b Area) float64 { return (b.South + b.North) / 2 })
	for _, b := range v.boxes {
		lon, lat := (b.West+b.East)/2, (b.South+b.North)/2
		if lon >= west && lon <= east && lat >= south && lat <= north {
			out.include(b)
		}
	}
	if math.IsInf(out.West, 0) {
		return nil
	}
	size, least, share := max(out.East-out.West, out.North-out.South), areaMargin, areaShare
	if v.points > 0 {
		least, share = pointMargin, pointShare
	}
	out.West, out.South = math.Floor(out.West*100)/100, math.Floor(out.South*100)/100
	out.East, out.North = math.Ceil(out.East*100)/100, math.Ceil(out.North*100)/100
	out.Margin = math.Ceil(max(least, share*size)*100) / 100
	return &out
}

// usual gives the range in which nine of ten lie, widened by itself at both ends. With fewer than
// ten nobody is unusual.
func (v *Surveyor) usual(of func(Area) float64) (low, high float64) {
	if len(v.boxes) < 10 {
		return math.Inf(-1), math.Inf(1)
	}
	all := make([]float64, len(v.boxes))
	for i, b := range v.boxes {
		all[i] = of(b)
	}
	slices.Sort(all)
	low, high = all[len(all)/20], all[len(all)-1-len(all)/20]
	wide := max(high-low, pointMargin)
	return low - wide, high + wide
}
