package programrules

import (
	"fmt"
	"strings"
)

// fixedLengths are the lengths of the element strings, with their identifier, that need no
// separator after them (GS1 General Specifications, predefined length table).
var fixedLengths = map[string]int{"00": 20, "01": 16, "02": 16, "03": 16, "04": 18, "11": 8, "12": 8, "13": 8, "14": 8,
	"15": 8, "16": 8,
	"17": 8, "18": 8, "19": 8, "20": 4, "31": 10, "32": 10, "33": 10, "34": 10, "35": 10, "36": 10, "41": 16}

// matrixKeys are words for application identifiers.
var matrixKeys = map[string]string{"gtin": "01", "lotnumber": "10", "batchnumber": "10", "productiondate": "11",
	"proddate":       "11",
	"bestbeforedate": "15", "expirationdate": "17", "expdate": "17", "serialnumber": "21", "sscc": "00", "content": "02",
	"duedate":  "12",
	"packdate": "13", "sellby": "16", "variant": "20"}

// extractDataMatrix finds the value of an application identifier in the text of a GS1 data matrix or QR code.
func extractDataMatrix(m *machine, n *node) (any, error) {
	key, err := m.text(n, 0)
	if err != nil {
		return nil, err
	}
	value, err := m.text(n, 1)
	if err != nil || key == nil || value == nil {
		return nil, missing(err, "an argument of d2:extractDataMatrixValue")
	}
	want := *key
	if id, ok := matrixKeys[strings.NewReplacer(" ", "", "_", "", "-", "").Replace(strings.ToLower(want))]; ok {
		want = id
	}
	body, ok := strings.CutPrefix(*value, "]d2")
	if !ok {
		if body, ok = strings.CutPrefix(*value, "]Q3"); !ok {
			return nil, fmt.Errorf("the value is not that of a GS1 data matrix or QR code")
		}
	}
	for _, part := range strings.Split(body, "\x1d") {
		for len(part) >= 2 {
			end := len(part)
			if n, fixed := fixedLengths[part[:2]]; fixed {
				if n > len(part) {
					return nil, fmt.Errorf("the value is cut short")
				}
				end = n
			}
			if found, ok := strings.CutPrefix(part[:end], want); ok && identifierLength(part) == len(want) {
				return found, nil
			}
			part = part[end:]
		}
	}
	return nil, fmt.Errorf("the value does not hold what is sought")
}

// identifierLength is how many digits the application identifier at the start of a text has (GS1
// General Specifications).
func identifierLength(s string) int {
	switch two := s[:2]; {
	case two >= "31" && two <= "36", two == "39", two >= "43" && two <= "43", two >= "70" && two <= "70",
		two >= "80" && two <= "82":
		return 4
	case two >= "23" && two <= "25", two >= "40" && two <= "42", two == "71":
		return 3
	}
	return 2
}
