package value

import (
	"errors"

	"github.com/culvert/culvert/rules/geo"
)

// coordinate gives [longitude,latitude], from a position in any form that geo understands.
func (k *Kind) coordinate(v any) (Result, *Problem) {
	shape, err := geo.Read(v, k.Order)
	switch {
	case err != nil:
		return Result{}, PlaceProblem(err)
	case shape == nil:
		return Result{Blank: true}, nil
	case shape.Type != geo.Point:
		return Result{}, &Problem{"wrong-type", "is an area or a line, and a position is needed",
			"send one place, or put the shape into geometry: of a program stage with the feature type Polygon"}
	}
	return Result{Text: shape.Position().Text()}, nil
}

// geoJSON gives a shape as GeoJSON.
func geoJSON(v any) (Result, *Problem) {
	shape, err := geo.Read(v, geo.Unknown)
	switch {
	case err != nil:
		return Result{}, PlaceProblem(err)
	case shape == nil:
		return Result{Blank: true}, nil
	}
	return Result{Text: string(shape.GeoJSON())}, nil
}

// PlaceProblem says what is wrong with a position or shape by the error of geo.Read.
func PlaceProblem(err error) *Problem {
	switch {
	case errors.Is(err, geo.ErrOrder):
		return &Problem{"position-order", err.Error(),
			`say which comes first: coordinate(..., "latitude first") in the expression, or give latitude: and longitude: apart`}
	case errors.Is(err, geo.ErrRange):
		return &Problem{"out-of-range", err.Error(), "check the two numbers in the source, and which of them comes first"}
	}
	return &Problem{"wrong-type", "is not a position",
		`"latitude longitude" with a space between, [longitude,latitude], GeoJSON and WKT are understood`}
}
