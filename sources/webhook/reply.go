package webhook

import (
	"cmp"
	"context"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/culvert/culvert/sources"
)

// Words of `reply`, and how long an outcome is waited for.
const (
	replyKept    = "kept"
	replyOutcome = "outcome"

	longestWait = 60 * time.Second // proxies give up after it, as they come

	maxWaiting = 1000 // requests that wait at the same time; more are answered at once
)

// outcome is what became of a record, for a sender that waits for it.
type outcome struct {
	State   string   `json:"state"`             // delivered, superseded, failed, dismissed, held or pending
	Objects []string `json:"objects,omitempty"` // uids in DHIS2 that hold its data
	Code    string   `json:"code,omitempty"`
	Field   string   `json:"field,omitempty"`  // in DHIS2, of which the cause speaks
	Column  string   `json:"column,omitempty"` // what the record calls it
	Cause   string   `json:"cause,omitempty"`
	Hint    string   `json:"hint,omitempty"`
	Remark  string   `json:"remark,omitempty"` // of one that is in DHIS2: what was left out, or looks odd
}

// outcomeOf tells a sender of a record. What is remarked on a delivered one is no cause of a failure.
func outcomeOf(o *sources.Outcome) *outcome {
	out := &outcome{State: o.State, Objects: o.Objects}
	if o.State == "delivered" {
		out.Remark = o.Message
		return out
	}
	out.Code, out.Field, out.Column, out.Cause, out.Hint = o.Code, o.Field, o.Column, o.Message, o.Hint
	return out
}

// replies lists the rules that answer with the outcome, and the longest that one of them waits.
func replies(routes []*Route) (rules []string, wait time.Duration) {
	for _, x := range routes {
		if x.Wait > 0 {
			rules = append(rules, x.Rule)
			wait = max(wait, x.Wait)
		}
	}
	return rules, wait
}

// reply answers a request whose records are kept: at once, or with what became of them.
func (h *Handler) reply(a *answerer, r *http.Request, routes []*Route, k kept) {
	rules, wait := replies(routes)
	var seqs []int64
	for _, l := range k.Records {
		if l.seq > 0 && !l.Skipped && slices.Contains(rules, l.Rule) {
			seqs = append(seqs, l.seq)
		}
	}
	if len(seqs) == 0 {
		a.kept(k.status(k.again), k.receipt)
		return
	}
	told := h.outcomes(a.w, r, seqs, wait)
	full := &receipt{Accepted: k.Accepted, Records: slices.Clone(k.Records)}
	for i := range full.Records {
		if l := &full.Records[i]; slices.Contains(seqs, l.seq) {
			l.outcome = cmp.Or(told[l.seq], &outcome{State: "pending"})
		}
	}
	a.kept(full.status(false), full)
}

// outcomes waits for what becomes of records, and gives what is known when the time is over, the
// sender has hung up or the runner stops.
func (h *Handler) outcomes(w http.ResponseWriter, r *http.Request, seqs []int64,
	wait time.Duration) map[int64]*outcome {
	ref := h.sink.Load()
	if ref == nil {
		return nil
	}
	awaiter, ok := ref.sink.(sources.Awaiter)
	if !ok {
		return nil
	}
	if !h.waiting.TryAcquire(1) {
		wait = 0
	} else {
		defer h.waiting.Release(1)
	}
	ctx, cancel := context.WithTimeout(r.Context(), wait)
	defer cancel()
	defer context.AfterFunc(ref.running, cancel)()
	// The body may have taken most of the server's time for an answer; a writer without deadlines needs none.
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(wait + answerTime))
	list, err := awaiter.Await(ctx, slices.Compact(slices.Sorted(slices.Values(seqs))))
	if err != nil {
		h.config.Log.Warn("cannot tell a sender what became of its records; they are kept", "path", cleanPath(r.URL.Path),
			"error", err)
		return nil
	}
	told := make(map[int64]*outcome, len(list))
	for i := range list {
		told[list[i].Seq] = outcomeOf(&list[i])
	}
	return told
}

// sentence says in one line what became of the records of a form, for a client that shows people
// nothing but a message; empty when nothing is known.
func (r *receipt) sentence() string {
	var says []string
	for _, l := range r.Records {
		switch {
		case l.outcome == nil:
		case l.State == "delivered" || l.State == "superseded":
			says = append(says, "It is in DHIS2.")
		case l.State == "pending":
			says = append(says, "It is kept and will be sent to DHIS2.")
		case l.Cause != "":
			says = append(says, "It is kept, but not in DHIS2: "+strings.TrimSuffix(l.Cause, ".")+".")
		}
	}
	return strings.Join(slices.Compact(says), " ")
}
