package value

import (
	"errors"
	"fmt"

	"github.com/culvert/culvert/rules/diag"
	"github.com/culvert/culvert/rules/geo"
)

// coordinate gives [longitude,latitude], from a position in any form that geo understands.
func (k *Kind) coordinate(v any, c *Context) (Result, *diag.Problem) {
	shape, err := geo.Read(v, k.Order)
	switch {
	case err != nil:
		return Result{}, PlaceProblem(err)
	case shape == nil:
		return Result{Blank: true}, nil
	case shape.Type != geo.Point:
		return Result{}, &diag.Problem{Code: "wrong-type", Message: "is an area or a line, and a position is needed",
			Hint: "send one place, or put the shape into geometry: of a program stage with the feature type Polygon"}
	}
	return Result{Text: shape.Position().Text(), Remark: PlaceRemark(shape, c.Area)}, nil
}

// geoJSON gives a shape as GeoJSON.
func geoJSON(v any, c *Context) (Result, *diag.Problem) {
	shape, err := geo.Read(v, geo.Unknown)
	switch {
	case err != nil:
		return Result{}, PlaceProblem(err)
	case shape == nil:
		return Result{Blank: true}, nil
	}
	return Result{Text: string(shape.GeoJSON()), Remark: PlaceRemark(shape, c.Area)}, nil
}

// PlaceProblem says what is wrong with a position or shape by the error of geo.Read.
func PlaceProblem(err error) *diag.Problem {
	switch {
	case errors.Is(err, geo.ErrOrder):
		return &diag.Problem{Code: "position-order", Message: err.Error(),
			Hint: `say which comes first: coordinate(..., "latitude first") in the expression, or give latitude: and longitude: apart`}
	case errors.Is(err, geo.ErrRange):
		return &diag.Problem{Code: "out-of-range", Message: err.Error(),
			Hint: "check the two numbers in the source, and which of them comes first"}
	}
	return &diag.Problem{Code: "wrong-type", Message: "is not a position",
		Hint: `"latitude longitude" with a space between, [longitude,latitude], GeoJSON and WKT are understood`}
}

// PlaceRemark says what is doubtful about where a shape lies; nil when nothing is, or when nobody
// knows where the country lies. Such a value is sent all the same.
func PlaceRemark(shape *geo.Shape, country *geo.Area) *diag.Problem {
	const code = "outside-country"
	switch country.Doubt(shape) {
	case geo.Exchanged:
		return &diag.Problem{Code: code, Message: fmt.Sprintf("lies far outside the country (%s) and looks exchanged: "+
			"the other way round it lies inside", country),
			Hint: `see which of the two the source sends first, and say it: coordinate(..., "latitude first")`}
	case geo.SignLost:
		return &diag.Problem{Code: code, Message: fmt.Sprintf("lies far outside the country (%s), and a minus "+
			"looks lost: with the other sign it lies inside", country), Hint: "correct the position in the source: south " +
			"and west have a minus"}
	case geo.NoPosition:
		return &diag.Problem{Code: code, Message: "is 0, 0, which devices write that know no position",
			Hint: "leave the position out in the source when it is not known"}
	case geo.Elsewhere:
		return &diag.Problem{Code: code, Message: fmt.Sprintf("lies far outside the country (%s)", country),
			Hint: "check the position in the source; where it is right, nothing need be done"}
	}
	return nil
}
