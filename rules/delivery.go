package rules

import (
	"fmt"
	"slices"
	"time"

	"github.com/culvert/culvert/rules/settings"
	"github.com/culvert/culvert/rules/window"
	"github.com/culvert/culvert/rules/yamlnode"
)

// Delivery is what a rule says of whether and when its records are sent.
type Delivery struct {
	Disabled bool           // it is checked, and neither takes nor sends anything
	Window   *window.Weekly // when records are sent; nil: always
	Retry    Retry
	// StopOnFailure pauses the rule as soon as one of its records fails.
	StopOnFailure bool
}

// Closed tells whether the rule sends nothing at a time because its window is closed.
func (d *Delivery) Closed(at time.Time) bool { return d.Window != nil && !d.Window.Open(at) }

// Retry says how often and after which pauses a record is tried again that could not be delivered for
// a reason that may pass. Zero fields leave it to the engine.
type Retry struct {
	Attempts       int           // tries before a person must act
	First, Longest time.Duration // pause after the first try; it doubles up to the longest
}

// windowKeys declares the keys of window, where it is more than its hours.
var windowKeys = []settings.Field{
	{Name: "hours", Type: settings.Texts, LeftOut: "the whole day",
		Doc: "from when until when, such as 18:00-06:00 in quotes; or a list of several"},
	{Name: "days", Type: settings.Texts, LeftOut: "every day",
		Doc: "days of the week: mon, tue, wed, thu, fri, sat, sun; ranges such as mon-fri, or a list. Hours that go past " +
			"midnight belong to the day on which they begin"},
	{Name: "time_zone", LeftOut: "time_zone of culvert.yaml", Doc: "time zone, such as Africa/Nairobi"},
}

// retryKeys declares the keys of retry.
var retryKeys = []settings.Field{
	{Name: "attempts", Type: settings.Whole, Min: 1, Max: 10_000,
		LeftOut: "500 where a reason may pass, 60 where an object is missing",
		Doc:     "how often a record is tried before it fails"},
	{Name: "first", Type: settings.Duration, Least: time.Second, Most: 24 * time.Hour,
		LeftOut: "2s where a reason may pass, 5s where an object is missing",
		Doc:     "the pause after the first try; each further one is about twice as long"},
	{Name: "longest", Type: settings.Duration, Least: time.Second, Most: 7 * 24 * time.Hour,
		LeftOut: "1h where a reason may pass, 4h where an object is missing", Doc: "the longest pause between two tries"},
}

// delivery reads enabled, window, retry and on_failure.
func (c *compiler) delivery() {
	r := c.reader("", c.root, ruleKeys)
	d := &c.rule.Delivery
	d.Disabled = r.Has("enabled") && !r.Is("enabled")
	d.StopOnFailure = r.Word("on_failure") == onFailureStop
	if n := r.Node("window"); n != nil {
		d.Window = c.window(n)
	}
	if retry, ok := r.Sub("retry"); ok {
		d.Retry = Retry{Attempts: retry.Whole("attempts"), First: retry.Duration("first"),
			Longest: retry.Duration("longest")}
		if d.Retry.Longest > 0 && d.Retry.First > d.Retry.Longest {
			retry.Wrong(retry.Node("longest"), "bad-duration", "the longest pause is shorter than the first one",
				"write longest: "+retry.Text("first")+", or more")
		}
	}
}

// onFailureStop is the word of on_failure by which a failed record pauses its rule.
const onFailureStop = "stop"

// window reads when records are sent: hours alone, or a mapping. nil when it is wrong, which is then reported.
func (c *compiler) window(n *yamlnode.Node) *window.Weekly {
	w := &window.Weekly{Zone: c.env.Zone}
	if n.Kind == yamlnode.Scalar {
		w.Days = everyDay()
		if !c.hours(w, n) {
			return nil
		}
		return w
	}
	r := settings.Read(n, settings.Spec{Name: "window", Fields: windowKeys}, n.Place(), c.report)
	fine := true
	for _, text := range oneOrMany(r.Node("hours")) {
		fine = c.hours(w, text) && fine
	}
	for _, text := range oneOrMany(r.Node("days")) {
		days, err := window.ParseDays(text.Value)
		if err != nil {
			c.fault(text.Place(), "bad-window", err.Error(),
				"write mon, tue, wed, thu, fri, sat or sun, or a range such as mon-fri")
			fine = false
		}
		w.Days = append(w.Days, days...)
	}
	if !r.Has("days") {
		w.Days = everyDay()
	}
	if name := r.Text("time_zone"); name != "" {
		zone, err := time.LoadLocation(name)
		if err != nil || name == "Local" {
			c.fault(r.Node("time_zone").Place(), "unknown-zone", fmt.Sprintf("%q is not a time zone", name),
				"use a name such as Africa/Dar_es_Salaam")
			fine = false
		} else {
			w.Zone = zone
		}
	}
	if !fine {
		return nil
	}
	return w
}

func everyDay() []time.Weekday {
	return []time.Weekday{time.Monday, time.Tuesday, time.Wednesday, time.Thursday, time.Friday, time.Saturday,
		time.Sunday}
}

// hours adds a stretch of the day; false when it is none, which is then reported.
func (c *compiler) hours(w *window.Weekly, n *yamlnode.Node) bool {
	daily, err := window.ParseDaily(n.Value)
	if err != nil {
		c.fault(n.Place(), "bad-window", err.Error(), `write it as "18:00-06:00", in quotes`)
		return false
	}
	if !slices.Contains(w.Hours, daily) {
		w.Hours = append(w.Hours, daily)
	}
	return true
}
