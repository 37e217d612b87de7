package expression

import (
	"errors"

	"github.com/culvert/culvert/rules/geo"
)

// Words for the order of two numbers.
const (
	latitudeFirst  = "latitude first"
	longitudeFirst = "longitude first"
	// listLongitudeFirst is what a field called coordinates implies; nobody writes it.
	listLongitudeFirst = "longitude first in lists"
)

// placeOrder adds the order of two numbers to a call of coordinate, where the name of the field
// tells it, and asks for it where a list needs it.
func placeOrder(c *checker, args []term) []term {
	if len(args) != 1 || args[0].bad {
		return args
	}
	place := args[0]
	order := geo.Unknown
	if len(place.names) == 1 {
		order = geo.OrderOf(place.names[0])
	}
	switch {
	case order == geo.LatitudeFirst:
		return append(args, c.known(latitudeFirst, plain(kText), place.span))
	case order == geo.LongitudeFirstInLists:
		return append(args, c.known(listLongitudeFirst, plain(kText), place.span))
	case place.shape.IsList() && !place.constant:
		args[0] = c.report(place.span, CodePositionOrder, "of these two numbers either could be the latitude",
			"write coordinate("+c.source(place)+`, "latitude first") or "longitude first", as the source sends them`)
	}
	return args
}

// callCoordinate gives a place as DHIS2 writes it.
func callCoordinate(_ *frame, a []any) (any, error) {
	if IsBlank(a[0]) {
		return nil, nil
	}
	second, _ := a[1].(string)
	if isBlankText(second) {
		second = ""
	}
	order := geo.Unknown
	switch second {
	case latitudeFirst:
		order = geo.LatitudeFirst
	case longitudeFirst:
		order = geo.LongitudeFirst
	case listLongitudeFirst:
		order = geo.LongitudeFirstInLists
	case "":
	default:
		return placeText(readGPS(AsText(a[0]) + " " + second))
	}
	shape, err := geo.Read(a[0], order)
	switch {
	case errors.Is(err, geo.ErrOrder):
		return nil, fail(CodePositionOrder, "of the two numbers either could be the latitude",
			`say which comes first, as in coordinate(place, "latitude first")`)
	case errors.Is(err, geo.ErrRange):
		return nil, errFar
	case err != nil, shape != nil && shape.Type != geo.Point:
		return nil, errPlace
	case shape == nil:
		return nil, nil
	}
	p := shape.Position()
	return placeText([]float64{p.Latitude, p.Longitude}, nil)
}

func placeText(parts []float64, err error) (any, error) {
	switch {
	case err != nil || parts == nil:
		return nil, err
	case len(parts) < 2:
		return nil, errPlace
	}
	return "[" + decimalText(parts[1]) + "," + decimalText(parts[0]) + "]", nil
}
