package programrules

import (
	_ "embed"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// growthText holds the standard deviations of the WHO Child Growth Standards (2006): weight for age
// (wfa) and height for age (hfa) by month, weight for height (wfh) by half a centimetre; female or
// male; from three below the median to three above it. It was computed from the WHO's LMS values,
// and keeps two slips of DHIS2's own table: boys of 28 months are missing from wfa, and girls of
// 112 cm have a number at the start of their row in wfh that does not belong there.
//
//go:embed growth.txt
var growthText string

// growth gives the rows by table, sex and parameter; it is read when a rule first asks.
var growth = sync.OnceValue(func() map[string][]float32 {
	rows := map[string][]float32{}
	for line := range strings.Lines(growthText) {
		words := strings.Fields(line)
		if len(words) < 10 {
			continue
		}
		row := make([]float32, 7)
		for i := range row {
			f, _ := strconv.ParseFloat(words[3+i], 32)
			row[i] = float32(f)
		}
		rows[strings.Join(words[:3], " ")] = row
	}
	return rows
})

// males are the words for a boy; any other word is for a girl.
var males = []string{"male", "MALE", "Male", "ma", "m", "M", "0", "false"}

func zScore(table string) func(*machine, *node) (any, error) {
	return func(m *machine, n *node) (any, error) {
		parameter, err := m.number(n, 0)
		if err != nil {
			return nil, err
		}
		weight, err := m.number(n, 1)
		if err != nil {
			return nil, err
		}
		sex, err := m.text(n, 2)
		if err != nil || parameter == nil || weight == nil || sex == nil {
			return nil, missing(err, "an argument of "+n.fn.name)
		}
		letter := "f"
		if slices.Contains(males, *sex) {
			letter = "m"
		}
		row := growth()[table+" "+letter+" "+strconv.FormatFloat(float64(float32(*parameter)), 'g', -1, 32)]
		if row == nil {
			return nil, fmt.Errorf("%s has no values for what was given", n.fn.name)
		}
		return deviation(row, float32(*weight)), nil
	}
}

// deviation is how far a value is from the median of a row, in standard deviations, which are
// interpolated and cut to two decimals. It computes with the precision that DHIS2 does.
func deviation(row []float32, value float32) float64 {
	median := row[3]
	sign := 1.0
	switch {
	case value == median:
		return 0
	case value < median:
		sign = -1
	}
	switch {
	case value > row[6]:
		return 3.5
	case value < row[0]:
		return -3.5
	}
	above := slices.IndexFunc(row, func(f float32) bool { return value <= f })
	if row[above] == value {
		return sign * math.Abs(float64(above-3))
	}
	lower, upper := row[above-1], row[above]
	gap, from := value-lower, above-1
	if value < median {
		gap, from = upper-value, above
	}
	result := float32(math.Abs(float64(from-3))) + gap/(upper-lower)
	return sign * math.Floor(float64(result)*100) / 100
}
