package rest

import (
	"mime"
	"sort"
	"strconv"
	"strings"
)

// Forms in which sets of data values come and go.
const (
	FormJSON = "json"
	FormCSV  = "csv"
	FormXML  = "xml"
	FormADX  = "adx+xml"
)

func FormOf(accept string) string {
	if strings.TrimSpace(accept) == "" {
		return FormJSON
	}
	type choice struct {
		form   string
		weight float64
	}
	var choices []choice
	for _, part := range strings.Split(accept, ",") {
		kind, params, err := mime.ParseMediaType(strings.TrimSpace(part))
		if err != nil {
			continue
		}
		q, err := strconv.ParseFloat(params["q"], 64)
		if err != nil {
			q = 1
		}
		switch kind {
		case "application/json", "*/*", "application/*", "text/html":
			choices = append(choices, choice{FormJSON, q})
		case "text/csv", "application/csv":
			choices = append(choices, choice{FormCSV, q})
		case "application/xml":
			choices = append(choices, choice{FormXML, q})
		case "application/adx+xml":
			choices = append(choices, choice{FormADX, q})
		}
	}
	if len(choices) == 0 {
		return ""
	}
	sort.SliceStable(choices, func(i, j int) bool { return choices[i].weight > choices[j].weight })
	return choices[0].form
}
