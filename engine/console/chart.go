package console

import (
	"fmt"
	"html/template"
	"math"
	"strings"
	"time"

	"github.com/culvert/culvert/engine/language"
)

// bar is what happened in one stretch of time.
type bar struct {
	At                          time.Time // when it began
	Received, Delivered, Failed int64
}

// series is what happened over a stretch of time, in bars of the same length.
type series struct {
	Name string // what it is of: a rule, a server
	Each time.Duration
	Bars []bar // the oldest first, without gaps
}

// Total adds up the bars.
func (s series) Total() (t bar) {
	for _, b := range s.Bars {
		t.Received += b.Received
		t.Delivered += b.Delivered
		t.Failed += b.Failed
	}
	return t
}

// sentence says what a chart shows, for who does not see it.
func (s series) sentence() string {
	t := s.Total()
	if t == (bar{}) {
		return "nothing happened"
	}
	return t.sentence()
}

func (t bar) sentence() string {
	return fmt.Sprintf("%s received, %s delivered, %s failed", number(t.Received), number(t.Delivered), number(t.Failed))
}

func (s series) top() float64 {
	top := int64(1)
	for _, b := range s.Bars {
		top = max(top, b.Received, b.Delivered+b.Failed)
	}
	return float64(top)
}

// spark draws a series small, to stand in a row of a table.
func (s series) spark(l *language.Language) template.HTML {
	const width, height = 144.0, 24.0
	var b strings.Builder
	fmt.Fprintf(&b, `<svg class="chart spark" viewBox="0 0 %g %g" preserveAspectRatio="none" role="img" aria-label="%s">`,
		width, height,
		template.HTMLEscapeString(s.Name+": "+l.Text(s.sentence())))
	s.draw(&b, l, width, height-1)
	fmt.Fprintf(&b, `<line class="axis" x1="0" y1="%g" x2="%g" y2="%g"/></svg>`, height-.5, width, height-.5)
	return template.HTML(b.String()) //nolint:gosec // numbers, and a text that is escaped
}

// chart draws a series large, with times and the height of the tallest bar. Letters stand beside
// the drawing, which stretches with the page.
func (s series) chart(l *language.Language) template.HTML {
	const width, height = 600.0, 120.0
	var b strings.Builder
	fmt.Fprintf(&b, `<div class="plot"><span class="most" aria-hidden="true">%s</span><svg class="chart" viewBox="0 0 `+
		`%g %g" preserveAspectRatio="none" role="img" aria-label="%s">`,
		short(s.top()), width, height, template.HTMLEscapeString(s.Name+": "+l.Text(s.sentence())))
	for _, share := range []float64{0, 0.5} {
		fmt.Fprintf(&b, `<line class="axis" x1="0" y1="%g" x2="%g" y2="%g"/>`, share*height+.5, width, share*height+.5)
	}
	s.draw(&b, l, width, height-1)
	fmt.Fprintf(&b, `<line class="axis" x1="0" y1="%g" x2="%g" y2="%g"/></svg><svg class="times" aria-hidden="true">`,
		height-.5, width, height-.5)
	every := s.labelEvery(l)
	for i := (every - 1) / 2; i < len(s.Bars); i += every {
		// in parts of the width, for this drawing does not stretch: its letters would, too
		at := (float64(i) + .5) / float64(len(s.Bars)) * 100
		fmt.Fprintf(&b, `<line class="axis" x1="%.2f%%" y1="0" x2="%.2f%%" y2="4"/><text x="%.2f%%" y="16">%s</text>`, at,
			at, at,
			s.Bars[i].At.Local().Format(s.layout(l)))
	}
	b.WriteString(`</svg></div>`)
	return template.HTML(b.String()) //nolint:gosec // numbers, and a text that is escaped
}

// draw draws the bars: what was received behind, what came of records before it.
func (s series) draw(b *strings.Builder, l *language.Language, width, height float64) {
	each := width / float64(max(1, len(s.Bars)))
	top := s.top()
	piece := func(class string, i int, from, to, thin float64) {
		if to > from {
			y, h := height-to/top*height, math.Max(1, (to-from)/top*height)
			fmt.Fprintf(b, `<rect class="%s" x="%.1f" y="%.1f" width="%.1f" height="%.1f"/>`, class,
				float64(i)*each+each*thin/2, y, each*(1-thin), h)
		}
	}
	for i, x := range s.Bars {
		if x == (bar{At: x.At}) {
			continue
		}
		fmt.Fprintf(b, `<g><title>%s: %s</title>`, l.Moment(x.At.Local()), template.HTMLEscapeString(l.Text(x.sentence())))
		piece("received", i, 0, float64(x.Received), .1)
		piece("delivered", i, 0, float64(x.Delivered), .4)
		piece("failed", i, float64(x.Delivered), float64(x.Delivered+x.Failed), .4)
		b.WriteString(`</g>`)
	}
}

// labelEvery says how many bars apart times are written, so that they fit side by side on a phone.
func (s series) labelEvery(l *language.Language) int {
	labels := 6
	if len(s.layout(l)) > len("02/01") {
		labels = 4
	}
	return max(1, (len(s.Bars)+labels-1)/labels)
}

// layout is how times stand below a chart; a language other than English has no names of months and days here.
func (s series) layout(l *language.Language) string {
	day, hour := "2 Jan", "Mon 15:04"
	if l != nil {
		day, hour = "02/01", "02/01 15:04"
	}
	switch {
	case s.Each >= 12*time.Hour:
		return day
	case s.Each*time.Duration(len(s.Bars)) > 24*time.Hour:
		return hour
	}
	return "15:04"
}

// short writes a number in few letters: 950, 1.2k, 34k, 2M.
func short(n float64) string {
	for _, unit := range []struct {
		of   float64
		name string
	}{{1e9, "G"}, {1e6, "M"}, {1e3, "k"}} {
		if n >= unit.of {
			text := fmt.Sprintf("%.1f", n/unit.of)
			return strings.TrimSuffix(text, ".0") + unit.name
		}
	}
	if n < 10 && n != math.Trunc(n) {
		return fmt.Sprintf("%.1f", n)
	}
	return fmt.Sprintf("%.0f", n)
}
