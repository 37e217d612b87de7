package scale

import (
	"fmt"
	"io"
	"runtime"
	"strings"
	"text/tabwriter"
	"time"
)

// dayLength is what a day has, for figures per day.
const dayLength = 24 * time.Hour

// row is one line of the report.
type row struct {
	name  string
	value func(Result) (shown string, n float64) // n is what grows; 0: nothing to compare
}

var rows = []row{
	{"facilities", func(r Result) (string, float64) { return count(r.Country.Facilities), float64(r.Country.Facilities) }},
	{
		"forms in the peak minute",
		func(r Result) (string, float64) { return count(r.Country.PeakMinute), float64(r.Country.PeakMinute) },
	},
	{"  kept within, half of them", func(r Result) (string, float64) { return short(r.Peak.P50), float64(r.Peak.P50) }},
	{"  kept within, 99 of 100", func(r Result) (string, float64) { return short(r.Peak.P99), float64(r.Peak.P99) }},
	{"  delivered within, 99 of 100", func(r Result) (string, float64) { return short(r.PeakLag.P99), 0 }},
	{"forms a day", func(r Result) (string, float64) { return count(r.Country.DayForms), float64(r.Country.DayForms) }},
	{"  kept, a second", func(r Result) (string, float64) { return rate(r.formsKept()) }},
	{"  delivered, a second", func(r Result) (string, float64) { return rate(r.formsDelivered()) }},
	{
		"rows of an export",
		func(r Result) (string, float64) { return count(r.Country.ExportRows), float64(r.Country.ExportRows) },
	},
	{"  first night, rows a second", func(r Result) (string, float64) { return rate(r.rows(0)) }},
	{"  last night, rows a second", func(r Result) (string, float64) { return rate(r.rows(len(r.Days) - 1)) }},
	{
		"outage: forms that waited",
		func(r Result) (string, float64) { return count(int(r.Outage.Backlog)), float64(r.Outage.Backlog) },
	},
	{
		"  kept within, 99 of 100",
		func(r Result) (string, float64) { return short(r.Outage.Forms.P99), float64(r.Outage.Forms.P99) },
	},
	{"  journal and inbox", func(r Result) (string, float64) { return size(r.Outage.State), float64(r.Outage.State) }},
	{
		"after it: until nothing waits",
		func(r Result) (string, float64) { return short(r.Drain.Took), float64(r.Drain.Took) },
	},
	{"memory, at most", func(r Result) (string, float64) { return size(r.Memory), float64(r.Memory) }},
	{"journal at the end", func(r Result) (string, float64) { return size(r.Journal), float64(r.Journal) }},
	{"  bytes a form", func(r Result) (string, float64) { return count(int(perForm(r))), 0 }},
	{"processor, s for a million", func(r Result) (string, float64) { return fmt.Sprintf("%.0f", r.CPU), r.CPU }},
	{"the rehearsal took", func(r Result) (string, float64) { return short(r.Took), 0 }},
}

func perForm(r Result) float64 { return float64(r.Journal) / float64(max(1, r.Kept)) }

// formsKept is how many forms a second were kept on ordinary days, as fast as they came.
func (r Result) formsKept() float64 {
	var n int
	var took time.Duration
	for _, d := range r.Days {
		n, took = n+d.Forms.N, took+d.Forms.Took
	}
	return perSecond(n, took)
}

// formsDelivered is how many forms a second were delivered on ordinary days.
func (r Result) formsDelivered() float64 {
	var n int
	var took time.Duration
	for _, d := range r.Days {
		n, took = n+d.Forms.N, took+d.Settled
	}
	return perSecond(n, took)
}

// rows is how many rows a second were read, compared and delivered in a night.
func (r Result) rows(day int) float64 {
	if day < 0 || day >= len(r.Days) {
		return 0
	}
	return perSecond(r.Country.ExportRows, r.Days[day].Night)
}

func perSecond(n int, took time.Duration) float64 {
	if took <= 0 {
		return 0
	}
	return float64(n) / took.Seconds()
}

// Report prints the table: a column a factor, and by how much each figure grows where the country is ten times as large.
func Report(w io.Writer, results []Result) error {
	t := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
	head := []string{""}
	for i, r := range results {
		head = append(head, fmt.Sprintf("%g %%", r.Factor*100))
		if i > 0 {
			head = append(head, "growth")
		}
	}
	fmt.Fprintln(t, strings.Join(head, "\t"))
	for _, line := range rows {
		cells := []string{line.name}
		var before float64
		for i, r := range results {
			shown, n := line.value(r)
			cells = append(cells, shown)
			if i > 0 {
				cells = append(cells, growth(before, n))
			}
			before = n
		}
		fmt.Fprintln(t, strings.Join(cells, "\t"))
	}
	if err := t.Flush(); err != nil {
		return fmt.Errorf("print the table: %w", err)
	}
	if len(results) == 0 {
		return nil
	}
	last := results[len(results)-1]
	_, err := fmt.Fprintf(
		w,
		"\nA day of this machine (%s/%s, %d processors, the DHIS2 look-alike and the senders among them):\n"+
			"  forms kept %s, forms delivered %s, rows of an export compared %s\n",
		runtime.GOOS,
		runtime.GOARCH,
		runtime.NumCPU(),
		million(last.formsKept()),
		million(last.formsDelivered()),
		million(last.rows(len(last.Days)-1)),
	)
	return err
}

func million(perSecond float64) string {
	return fmt.Sprintf("%.0f million", perSecond*dayLength.Seconds()/1e6)
}

func growth(before, now float64) string {
	if before <= 0 || now <= 0 {
		return ""
	}
	return fmt.Sprintf("× %.1f", now/before)
}

func rate(v float64) (string, float64) { return count(int(v)), v }

// count writes a number with commas.
func count(n int) string {
	text := fmt.Sprint(n)
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}

func size(n int64) string { return fmt.Sprintf("%.1f MB", float64(n)/1e6) }

func short(d time.Duration) string {
	switch {
	case d < 10*time.Millisecond:
		return d.Round(100 * time.Microsecond).String()
	case d < time.Second:
		return d.Round(time.Millisecond).String()
	case d < time.Minute:
		return d.Round(100 * time.Millisecond).String()
	default:
		return d.Round(time.Second).String()
	}
}
