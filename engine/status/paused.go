package status

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/culvert/culvert/engine/controls"
	"github.com/culvert/culvert/engine/journal"
)

// Paused is a rule or a server that was paused. One of Rule and Server is empty.
type Paused struct {
	Rule, Server string
	*controls.Pause
	Waiting int64 // records that it keeps from being sent
	Concern bool  // a person should look at it: nobody paused it, or it seems forgotten
}

// forgottenAfter is how long a pause may keep records from being sent before an overview asks about it.
const forgottenAfter = 24 * time.Hour

// addPauses lists what is paused, rules first, with what waits for it.
func (o *Overview) addPauses(summary journal.Summary) {
	waiting := map[string]int64{}
	for _, s := range summary.Rules {
		waiting[s.Rule] += s.Pending + s.Held
		if rule, _, part := strings.Cut(s.Rule, journal.PartSign); part { // what the rule writes to a further place
			waiting[rule] += s.Pending + s.Held
		}
	}
	for _, name := range slices.Sorted(maps.Keys(o.Paused.Rules)) {
		o.addPause(Paused{Rule: name, Pause: o.Paused.Rules[name], Waiting: waiting[name]})
	}
	servers := map[string]int64{}
	for _, r := range o.Runners {
		for _, s := range r.Servers {
			servers[s.Name] = max(servers[s.Name], s.Waiting)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(o.Paused.Servers)) {
		o.addPause(Paused{Server: name, Pause: o.Paused.Servers[name], Waiting: servers[name]})
	}
}

func (o *Overview) addPause(p Paused) {
	p.Concern = p.Itself || p.Waiting > 0 && o.At.Sub(p.Since) > forgottenAfter
	o.Pauses = append(o.Pauses, p)
}

// What says in a sentence what is paused, since when, by whom and why.
func (p Paused) What() string {
	format := "rule %s is paused since %s"
	if p.Server != "" {
		format = "server %s is paused since %s"
	}
	what := fmt.Sprintf(format, p.Subject(), p.Since.Local().Format("2006-01-02 15:04"))
	if p.Who != "" && !p.Itself {
		what += fmt.Sprintf(", by %s", p.Who)
	}
	switch {
	case p.Waiting == 1:
		what += ", 1 record waits"
	case p.Waiting > 1:
		what += fmt.Sprintf(", %d records wait", p.Waiting)
	}
	if p.Why != "" {
		what += ": " + p.Why
	}
	return what
}

// Hint says how it goes on, at a command line.
func (p Paused) Hint() string {
	if p.Server != "" {
		return fmt.Sprintf("`culvert resume --server %s`", p.Server)
	}
	return fmt.Sprintf("`culvert resume --rule %s`", p.Rule)
}

// Subject is what is paused: a rule, or else a server.
func (p Paused) Subject() string { return cmp.Or(p.Rule, p.Server) }
