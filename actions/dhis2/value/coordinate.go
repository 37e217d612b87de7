package value

import (
	"strconv"
	"strings"
)

// coordinate gives [longitude,latitude]. It takes that form, GPS text "latitude longitude altitude accuracy" as phones write it, a list of
// longitude and latitude, and an object with both.
func coordinate(v any) (Result, *Problem) {
	lon, lat, blank, ok := Point(v)
	if blank {
		return Result{Blank: true}, nil
	}
	if !ok {
		return Result{}, &Problem{"wrong-type", "is not a position", `give "latitude longitude" separated by a space, or [longitude,latitude]`}
	}
	return Result{Text: "[" + lon + "," + lat + "]"}, nil
}

// Point reads a position in any of the forms that sources have. Two numbers separated by a comma alone are refused: either could be the latitude.
func Point(v any) (lon, lat string, blank, ok bool) {
	switch v := v.(type) {
	case string:
		return pointText(v)
	case []any:
		if len(v) < 2 {
			return "", "", len(v) == 0, false
		}
		a, _ := Text(v[0], nil)
		b, _ := Text(v[1], nil)
		lon, lat, ok = checked(a, b)
	case map[string]any:
		lon, lat, ok = checked(part(v, "longitude", "lon", "lng"), part(v, "latitude", "lat"))
	}
	return lon, lat, false, ok
}

func pointText(s string) (lon, lat string, blank, ok bool) {
	if s = strings.TrimSpace(s); s == "" {
		return "", "", true, true
	}
	if strings.HasPrefix(s, "[") && strings.HasSuffix(s, "]") {
		a, b, _ := strings.Cut(s[1:len(s)-1], ",")
		lon, lat, ok = checked(a, b)
		return lon, lat, false, ok
	}
	parts := strings.Fields(s)
	if len(parts) < 2 || len(parts) > 4 || strings.Contains(s, ",") {
		return "", "", false, false
	}
	lon, lat, ok = checked(parts[1], parts[0])
	return lon, lat, false, ok
}

func checked(lonText, latText string) (lon, lat string, ok bool) {
	lon, lonOK := canonical(strings.TrimSpace(lonText))
	lat, latOK := canonical(strings.TrimSpace(latText))
	if !lonOK || !latOK {
		return "", "", false
	}
	x, _ := strconv.ParseFloat(lon, 64)
	y, _ := strconv.ParseFloat(lat, 64)
	return lon, lat, x >= -180 && x <= 180 && y >= -90 && y <= 90
}

func part(m map[string]any, names ...string) string {
	for _, name := range names {
		if s, ok := Text(m[name], nil); ok {
			return s
		}
	}
	return ""
}
