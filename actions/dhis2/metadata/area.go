package metadata

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/culvert/culvert/actions/dhis2/client"
	"github.com/culvert/culvert/rules/geo"
)

// minLocated is how many org units without a shape of the country above them say where it lies.
const minLocated = 10

// readArea finds where the country lies: by the shapes of the highest level of org units that all
// have one, else by the level where most have one. Shapes are large, so that they are asked for only
// when everything is read anew, and no more than their box is kept. A server that does not tell
// costs the comparison of positions, not the sync.
func (r *reading) readArea(ctx context.Context) error {
	if r.old != nil {
		r.fresh.Server.Area = r.old.Server.Area
		return nil
	}
	err := r.patiently(ctx, "geometry of "+OrgUnits, func() error {
		area, err := r.area(ctx)
		r.fresh.Server.Area = area
		return err
	})
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil {
		r.warn("positions cannot be compared with where the country lies: %v", err)
	}
	return nil
}

func (r *reading) area(ctx context.Context) (*geo.Area, error) {
	units := map[int]int{} // by level
	deepest := 0
	for i := range r.fresh.OrgUnits {
		level := r.fresh.OrgUnits[i].Level
		units[level]++
		deepest = max(deepest, level)
	}
	best, most := 0, 0
	for level := 1; level <= deepest; level++ {
		located := 0
		err := r.located(ctx, level, "id", idPage, func(json.RawMessage) error { located++; return nil })
		if err != nil {
			return nil, err
		}
		if located > 0 && located >= units[level] {
			area, points, err := r.survey(ctx, level)
			if err != nil || area != nil && (!points || level == deepest) {
				return area, err
			}
		}
		if located > most {
			best, most = level, located
		}
	}
	if most < minLocated {
		return nil, nil
	}
	area, _, err := r.survey(ctx, best)
	return area, err
}

// survey gives the box of the org units of a level, and whether some of them are mere points, around
// which their region goes on.
func (r *reading) survey(ctx context.Context, level int) (area *geo.Area, points bool, err error) {
	const page = 100
	var v geo.Surveyor
	err = r.located(ctx, level, "id,geometry", page, func(o json.RawMessage) error {
		var unit struct {
			Geometry any `json:"geometry"`
		}
		if err := json.Unmarshal(o, &unit); err != nil {
			return plainJSON(err)
		}
		shape, err := geo.Read(unit.Geometry, geo.LongitudeFirst)
		if err != nil || shape == nil {
			return nil // of a kind that says nothing here
		}
		points = points || shape.Type == geo.Point
		v.Add(shape)
		return nil
	})
	return v.Area(), points, err
}

// located reads the org units of a level that have a geometry. That others change some meanwhile
// does not matter to a box.
func (r *reading) located(ctx context.Context, level int, fields string, page int,
	each func(json.RawMessage) error) error {
	filters := []string{fmt.Sprintf("level:eq:%d", level), "geometry:!null"}
	err := r.server.Pages(ctx, OrgUnits, fields, filters, page, each)
	if errors.Is(err, client.ErrChanged) {
		return nil
	}
	return err
}
