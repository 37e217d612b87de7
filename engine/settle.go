package engine

import (
	"time"

	"github.com/culvert/culvert/actions"
	"github.com/culvert/culvert/engine/journal"
	"github.com/culvert/culvert/engine/program"
	"github.com/culvert/culvert/internal/await"
)

// verdict is what a result means for its record.
type verdict struct {
	state     journal.State // Delivered, Superseded, Failed, or Pending for another try
	unchanged bool          // nothing had to be sent
	again     bool          // the server could not be asked: to be sent again as it is, without counting as a try
	problem   *journal.Problem
	wait      time.Duration // asked for by the server
	objects   []string
	by        int64 // what superseded the record or a part of it
}

// judge sums up what became of a record's writes. A failure outweighs what may heal: the record needs a person either way, and its replay sends
// everything again. Only a server that is away or refuses us comes first, for then nothing was decided.
func judge(plan *actions.Plan, result actions.Result) verdict {
	v := verdict{state: journal.Delivered, unchanged: true}
	worst, superseded := -1, false
	for i, o := range result.Outcomes {
		switch o.Status {
		case actions.Delivered:
			v.unchanged = false
			v.by = max(v.by, o.By)
			v.objects = appendObject(v.objects, o.ObjectID)
		case actions.Unchanged:
			v.objects = appendObject(v.objects, o.ObjectID)
		case actions.Superseded:
			superseded = true
			v.by = max(v.by, o.By)
			v.objects = appendObject(v.objects, o.ObjectID)
		case actions.Failed, actions.Retry:
			v.unchanged = false
			if worst < 0 || weight(o) > weight(result.Outcomes[worst]) {
				worst = i
			}
		case actions.NotTried:
			v.unchanged = false
		}
	}
	if worst < 0 {
		if len(result.Outcomes) < len(plan.Writes) || hasUntried(result.Outcomes) {
			return unanswered(v)
		}
		if superseded && v.unchanged {
			v.state, v.unchanged = journal.Superseded, false
		}
		v.problem = program.LeftOut(plan.Left)
		return v
	}
	o := result.Outcomes[worst]
	v.problem, v.wait = outcomeProblem(plan.Writes[min(worst, len(plan.Writes)-1)], o), o.RetryAfter
	v.state = journal.Failed
	if o.Status == actions.Retry {
		v.state = journal.Pending
		v.again = o.Class == actions.ClassServer || o.Class == actions.ClassCredentials
	}
	return v
}

// weight orders outcomes by what decides about the record.
func weight(o actions.Outcome) int {
	switch {
	case o.Status == actions.Retry && o.Class == actions.ClassCredentials:
		return 4
	case o.Status == actions.Retry && o.Class == actions.ClassServer:
		return 3
	case o.Status == actions.Failed:
		return 2
	case o.Class == actions.ClassTransient:
		return 1
	default:
		return 0
	}
}

func hasUntried(outcomes []actions.Outcome) bool {
	for _, o := range outcomes {
		if o.Status == actions.NotTried {
			return true
		}
	}
	return false
}

// unanswered is the verdict on a record about which the target said too little: never delivered on a guess.
func unanswered(v verdict) verdict {
	v.state, v.unchanged = journal.Pending, false
	v.problem = &journal.Problem{
		Class: actions.ClassTransient, Code: "no-answer", Cause: "the server's answer said nothing of this record",
		Hint: "it is tried again by itself; when it goes on, look at the server's log",
	}
	return v
}

func appendObject(objects []string, id string) []string {
	if id == "" {
		return objects
	}
	return append(objects, id)
}

// retryPolicy says when a record is tried again.
type retryPolicy struct {
	limits *Limits
	random func() float64
}

// settlement words the verdict for the journal. attempts counts the tries before this one.
func (p retryPolicy) settlement(v verdict, attempts int, now time.Time) journal.Settlement {
	s := journal.Settlement{State: v.state, Attempts: attempts + 1, Problem: v.problem, Objects: v.objects, SupersededBy: v.by}
	if v.state != journal.Pending {
		return s
	}
	backoff, most := p.limits.Retry, p.limits.RetryFor
	if v.problem.Class == actions.ClassParent {
		backoff, most = p.limits.Parent, p.limits.ParentFor
	}
	if s.Attempts >= most {
		s.State = journal.Failed
		if s.Problem.Hint == "" {
			s.Problem.Hint = "fix the cause, then replay the record"
		}
		return s
	}
	s.NextTry = now.Add(max(v.wait, await.Backoff(backoff).Wait(s.Attempts, p.random)))
	return s
}
