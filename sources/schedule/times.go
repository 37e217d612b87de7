package schedule

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/netresearch/go-cron"

	"github.com/culvert/culvert/rules/settings"
)

// interval is a schedule that runs again after a length of time.
type interval time.Duration

// Next gives the time of the run after one.
func (i interval) Next(t time.Time) time.Time { return t.Add(time.Duration(i)) }

// fields are the five of crontab(5). As there, a day of the month and a day of the week are alternatives.
const fields = cron.Minute | cron.Hour | cron.Dom | cron.Month | cron.Dow | cron.Descriptor | cron.DowOrDom

// longestCron bounds a cron expression; the longest that says something is a list of all minutes.
const longestCron = 500

// cronOf reads a cron expression, whose times are those of zone.
func cronOf(spec string, zone *time.Location) (cron.Schedule, error) {
	if strings.Contains(spec, "TZ=") {
		return nil, errors.New("the zone goes into the key time_zone")
	}
	if len(spec) > longestCron {
		return nil, fmt.Errorf("it is longer than %d letters", longestCron)
	}
	parser, err := cron.TryNewParser(fields)
	if err != nil {
		return nil, fmt.Errorf("make a parser: %w", err)
	}
	s, err := parser.Parse(spec)
	if err != nil {
		return nil, err
	}
	switch s := s.(type) {
	case *cron.SpecSchedule:
		s.Location = zone
	case cron.ConstantDelaySchedule:
		return interval(s.Delay), nil
	}
	return s, nil
}

func times(c settings.Reader, zone *time.Location) cron.Schedule {
	if name := c.Text("time_zone"); name != "" {
		z, err := time.LoadLocation(name)
		if err != nil || name == "Local" {
			c.Wrong(c.Config.Get("time_zone"), "unknown-zone", fmt.Sprintf("%q is not a time zone", name),
				"use a name such as Africa/Dar_es_Salaam")
		} else {
			zone = z
		}
	}
	spec := c.Text("cron")
	switch {
	case c.Has("cron") && c.Has("every"):
		c.Wrong(c.Config.Key("every"), "cron", "the schedule has both cron and every", "keep one of them")
	case !c.Has("cron") && !c.Has("every"):
		c.Missing("cron or every", `write cron: "0 3 * * *" for three in the morning, or every: 1h`)
	case c.Has("every"):
		if d := c.Duration("every"); d > 0 {
			return interval(d)
		}
	case spec != "":
		s, err := cronOf(spec, zone)
		if err != nil {
			c.Wrong(c.Config.Get("cron"), "cron", fmt.Sprintf("%q is no cron expression", spec),
				`write minute, hour, day of month, month, day of week, such as "0 3 * * 1" for Mondays at three; the zone goes `+
					`into time_zone:`)
			return nil
		}
		if s.Next(time.Now()).IsZero() {
			c.Wrong(c.Config.Get("cron"), "cron", fmt.Sprintf("%q names a day that never comes", spec), "check day and month")
		}
		return s
	}
	return nil
}
