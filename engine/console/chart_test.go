package console

import (
	"math"
	"regexp"
	"strconv"
	"testing"
	"time"

	"github.com/culvert/culvert/engine/language"
)

// TestTimesStandUnderTheirBars holds each time below a chart to the middle of the bar that it is of.
func TestTimesStandUnderTheirBars(t *testing.T) {
	french, _ := language.Find("fr")
	label := regexp.MustCompile(`<text x="([0-9.]+)%" y="16">([^<]+)</text>`)
	for _, c := range []struct {
		bars int
		each time.Duration
	}{{60, time.Minute}, {24, time.Hour}, {28, 6 * time.Hour}, {30, 24 * time.Hour}, {1, time.Minute}, {7, time.Hour}} {
		for _, l := range []*language.Language{nil, french} {
			s := series{Name: "all", Each: c.each}
			for i := range c.bars {
				s.Bars = append(s.Bars, bar{At: time.Date(2026, 11, 1, 0, 0, 0, 0, time.Local).Add(time.Duration(i) * c.each),
					Received: 1})
			}
			found := label.FindAllStringSubmatch(string(s.chart(l)), -1)
			if len(found) == 0 || len(found) > 6 {
				t.Errorf("%d bars of %s have %d times", c.bars, c.each, len(found))
			}
			for _, m := range found {
				at, err := strconv.ParseFloat(m[1], 64)
				i := int(at / 100 * float64(c.bars))
				if middle := (float64(i) + .5) / float64(c.bars) * 100; err != nil || math.Abs(at-middle) > .01 ||
					m[2] != s.Bars[i].At.Format(s.layout(l)) {
					t.Errorf("%s stands at %g%% of %d bars", m[2], at, c.bars)
				}
			}
		}
	}
}
