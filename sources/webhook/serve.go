package webhook

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/culvert/culvert/sources"
	"github.com/culvert/culvert/sources/tree"
)

// answerTime bounds how long a request waits for its records to be durable. CommCare waits for
// minutes, but slow answers make it send less.
const answerTime = 30 * time.Second

// offWait is how long those who send to a rule that is switched off are asked to wait.
const offWait = time.Hour

// passedHeaders are the request headers that every rule may use: CommCare's, and those that tell requests apart.
var passedHeaders = []string{"Received-On", "Server-Modified-On", "Idempotency-Key", "X-Request-Id", openRosaVersion}

// ServeHTTP takes the records of a request, or says what the path expects.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a := &answerer{w: w, openRosa: r.Header.Get(openRosaVersion) != ""}
	a.begins = a.openRosa && r.Header.Get("Authorization") == ""
	t := h.routes.Load()
	if e, asked := t.hosts(r.URL.Path); e != nil {
		h.handOut(a, r, e, asked)
		return
	}
	e := t.at(r.URL.Path)
	if e == nil {
		a.refuse(&refusal{http.StatusNotFound, "no rule takes records at this path",
			"check the path against webhook: path in the rule"})
		return
	}
	from := Caller(r, *h.proxies.Load())
	routes := e.inNetwork(from)
	if len(routes) == 0 {
		h.refused(a, e, &refusal{http.StatusForbidden, "this address may not send to this path",
			"add its network to networks in the rule, if it should"})
		return
	}
	switch r.Method {
	case http.MethodGet:
		e.describe(w, routes)
		return
	case http.MethodHead:
		h.probed(a, r, e, routes)
		return
	case http.MethodPost, http.MethodPut:
	default:
		w.Header().Set("Allow", "GET, HEAD, POST, PUT")
		answer(w, &refusal{http.StatusMethodNotAllowed, "records are sent with POST", "send a POST request"})
		return
	}
	if routes[0].Off {
		h.refused(a, e, busy(w, offWait, "the rule that takes records here is switched off"))
		return
	}
	if slices.ContainsFunc(routes, func(x *Route) bool { return x.Closed }) {
		h.refused(a, e, busy(w, 0, "a secret that this path needs is missing where Culvert runs"))
		return
	}
	if err := h.take(a, r, e, routes, from); err != nil {
		h.refused(a, e, err)
	}
}

// take reads a request, hands its records over and answers. The error is a *refusal.
func (h *Handler) take(a *answerer, r *http.Request, e *endpoint, routes []*Route, from netip.Addr) error {
	k, err := h.keep(a, r, e, routes, from)
	if err != nil {
		return err
	}
	if k.again {
		a.w.Header().Set("Idempotent-Replayed", "true")
	}
	h.reply(a, r, routes, k)
	return nil
}

// kept is what a request came to: a receipt, and whether the same request came before.
type kept struct {
	*receipt
	again bool
}

// keep reads a request and hands its records over. The error is a *refusal.
func (h *Handler) keep(a *answerer, r *http.Request, e *endpoint, routes []*Route, from netip.Addr) (kept, error) {
	now, w := h.config.Now(), a.w
	routes, err := h.admitted(w, r, e, routes, from)
	if err != nil {
		return kept{}, err
	}
	if e.limiter != nil && !e.limiter.AllowN(now, 1) {
		w.Header().Set("Retry-After", strconv.Itoa(int(math.Ceil(max(1, 1/e.limits.Rate)))))
		return kept{}, &refusal{http.StatusTooManyRequests, fmt.Sprintf("more than %g requests a second", e.limits.Rate),
			"send more slowly"}
	}
	leave, ok := h.callers.enter(e.path, from)
	if !ok {
		w.Header().Set("Retry-After", "1")
		return kept{}, &refusal{http.StatusTooManyRequests, "too many requests of this sender are under way",
			"send fewer at the same time"}
	}
	defer leave()
	room := &share{all: h.held}
	defer room.release()
	if !room.take(bodyOverhead) {
		return kept{}, busy(w, time.Second, "too many requests are under way")
	}
	raw, body, err := readBody(w, r, e.limits.MaxBody, room)
	if err != nil {
		return kept{}, err
	}
	a.openRosa = a.openRosa || holdsSubmission(r.Header, body)
	routes = without(routes, func(x *Route) bool { return x.Auth.signed() && !x.Auth.verifies(r, raw, now) })
	if len(routes) == 0 {
		return kept{}, h.unauthorized(w, r, e, false)
	}
	return h.once(r, e, routes, body, func() (*receipt, error) { return h.accept(w, r, routes, body, from, now, room) })
}

// without gives the routes that drop does not tell of; the list stays as it is.
func without(routes []*Route, drop func(*Route) bool) []*Route {
	return slices.DeleteFunc(slices.Clone(routes), drop)
}

// once hands a request over unless it came before: under the same idempotency key, or with the same
// signature, which holds for one time.
func (h *Handler) once(r *http.Request, e *endpoint, routes []*Route, body []byte,
	accept func() (*receipt, error)) (kept, error) {
	signature, known, err := h.signed.begin(signatureOf(r, routes), e.path, routes, body)
	if err != nil {
		return kept{}, err
	}
	var key *pendingKey
	if known == nil {
		if key, known, err = h.keys.begin(r.Header.Get("Idempotency-Key"), e.path, routes, body); err != nil {
			return kept{}, err
		}
	}
	if known != nil {
		return kept{receipt: known, again: true}, nil
	}
	receipt, err := accept()
	if err != nil {
		return kept{}, err
	}
	h.keys.end(key, receipt)
	h.signed.end(signature, receipt)
	return kept{receipt: receipt}, nil
}

// signatureOf gives the signature of a request where a time is part of it; empty for all others.
func signatureOf(r *http.Request, routes []*Route) string {
	for _, x := range routes {
		if x.Auth.signed() && x.Auth.HMACTimestamp != "" {
			return hex.EncodeToString(x.Auth.given(r))
		}
	}
	return ""
}

// bodyOverhead is what a request takes besides its body, roughly.
const bodyOverhead = 4 << 10

// accept makes records of a body and waits until they are durable.
func (h *Handler) accept(w http.ResponseWriter, r *http.Request, routes []*Route, body []byte, from netip.Addr,
	now time.Time, room *share) (*receipt, error) {
	ref := h.sink.Load()
	if ref == nil {
		return nil, busy(w, 5*time.Second, "the runner is starting or stopping")
	}
	if tables := without(routes, func(x *Route) bool { return x.Table == nil }); len(tables) > 0 {
		return h.takeTables(w, r, ref, tables, body, now)
	}
	var records []sources.Record
	var elsewhere error // of a rule that looks for records where this body has nothing; another rule may know it
	for i := range routes {
		list, err := routes[i].records(r, body, from, now,
			tree.Limits{Depth: routes[i].Limits.MaxDepth, Memory: h.config.MaxHeld / 2, Room: room.take, Once: true})
		if errors.Is(err, tree.ErrNoRoom) {
			return nil, busy(w, time.Second, "too many requests are under way")
		}
		if errors.Is(err, errNothingThere) {
			elsewhere = err
			continue
		}
		if err != nil {
			return nil, err
		}
		records = append(records, list...)
	}
	if len(records) == 0 {
		return receiptOf(nil, nil), elsewhere
	}
	// The records are kept even when the caller hangs up meanwhile; it will send them again and they are recognised.
	ctx, cancel := context.WithTimeoutCause(context.WithoutCancel(r.Context()), answerTime,
		errors.New("the records were not durable in time"))
	defer cancel()
	receipts, err := ref.sink.Accept(ctx, sources.Batch{Records: records})
	var full *sources.ErrBusy
	switch {
	case errors.As(err, &full):
		return nil, busy(w, full.RetryAfter, full.Reason)
	case errors.Is(err, sources.ErrFinal):
		return nil, &refusal{http.StatusUnprocessableEntity, "these records cannot be taken by the rules at this path",
			"ask who runs this Culvert"}
	case err != nil:
		h.config.Log.Error("cannot keep records of a webhook", "path", cleanPath(r.URL.Path), "records", len(records),
			"error", err)
		return nil, busy(w, 0, "the records cannot be kept now")
	}
	return receiptOf(records, receipts), nil
}

// records makes the records of one rule.
func (x *Route) records(r *http.Request, body []byte, from netip.Addr, now time.Time,
	limits tree.Limits) ([]sources.Record, error) {
	if int64(len(body)) > x.Limits.MaxBody {
		return nil, tooLarge(x.Limits.MaxBody)
	}
	v, err := decode(r.Header, body, limits, x.Encoding, x.Attachments)
	if err != nil {
		return nil, err
	}
	if isSealed(v) {
		return nil, &refusal{http.StatusUnprocessableEntity, "the form is sealed with a key, and Culvert cannot open it",
			"take the key out of the form (public_key in the settings of an XLSForm), and use https"}
	}
	items, err := x.items(v)
	if err != nil {
		return nil, err
	}
	headers, err := x.headers(r.Header)
	if err != nil {
		return nil, err
	}
	origin := sources.Origin{Trigger: Kind{}.Name(), Headers: headers}
	if from.IsValid() {
		origin.Remote = from.String()
	}
	records := make([]sources.Record, len(items))
	for i, item := range items {
		if _, ok := item.(map[string]any); !ok {
			return nil, &refusal{http.StatusUnprocessableEntity, fmt.Sprintf("item %d is no object", i+1),
				"each record is an object with its fields"}
		}
		records[i] = sources.Record{Rule: x.Rule, Received: now, Origin: origin, Body: item}
	}
	return records, nil
}

// items picks the records out of a body.
func (x *Route) items(v any) (items []any, err error) {
	list, isList := v.([]any)
	switch {
	case x.Items != nil:
		if list, err = x.Items(v); errors.Is(err, errNothingThere) {
			return nil, err
		} else if err != nil {
			return nil, &refusal{http.StatusUnprocessableEntity, "the records cannot be found in the body: " + err.Error(),
				"compare it with items: in the rule"}
		}
	case !isList:
		return []any{v}, nil
	}
	if len(list) > x.Limits.MaxItems {
		return nil, &refusal{http.StatusRequestEntityTooLarge,
			fmt.Sprintf("the body holds more than %d records", x.Limits.MaxItems), "send fewer at once"}
	}
	return list, nil
}

// headers gives the headers that the rule may use.
func (x *Route) headers(h http.Header) (map[string]string, error) {
	var out map[string]string
	for _, list := range [][]string{passedHeaders, x.Headers} {
		for _, name := range list {
			if v := h.Get(name); v != "" && len(v) <= 1024 {
				if !utf8.ValidString(v) {
					return nil, &refusal{http.StatusBadRequest, fmt.Sprintf("the header %s is not UTF-8", name), "send it in UTF-8"}
				}
				if out == nil {
					out = map[string]string{}
				}
				out[strings.ToLower(name)] = v
			}
		}
	}
	return out, nil
}

// inNetwork lists the routes that an address may use; the list is the caller's.
func (e *endpoint) inNetwork(from netip.Addr) []*Route {
	list := make([]*Route, 0, len(e.routes))
	for _, r := range e.routes {
		if len(r.Networks) == 0 || within(from, r.Networks) {
			list = append(list, r)
		}
	}
	return list
}

func (e *endpoint) ways(routes []*Route) string {
	var ways []string
	for i := range routes {
		if way := routes[i].Auth.String(); !slices.Contains(ways, way) {
			ways = append(ways, way)
		}
	}
	return strings.Join(ways, ", or ")
}

// describe says what a path expects, for who sets up a sender.
func (e *endpoint) describe(w http.ResponseWriter, routes []*Route) {
	text := struct {
		Path     string   `json:"path"`
		Send     string   `json:"send"`
		Accepts  []string `json:"accepts"`
		Auth     string   `json:"auth"`
		MaxBytes int64    `json:"max_bytes"`
		MaxItems int      `json:"max_items"`
		Rate     float64  `json:"requests_per_second,omitempty"`
		Answers  string   `json:"answers"`
	}{
		Path: e.path, Send: "POST one record, or a list of records",
		Accepts: []string{"application/json", "application/xml", "application/x-www-form-urlencoded", "multipart/form-data",
			"Content-Encoding: gzip"},
		Auth: e.ways(routes), MaxBytes: e.limits.MaxBody, MaxItems: e.limits.MaxItems, Rate: e.limits.Rate,
		Answers: "200 or 202 when the records are kept; 429 or 503 with Retry-After: send again; any other: they will " +
			"never be taken as they are",
	}
	if slices.ContainsFunc(routes, func(x *Route) bool { return x.Table != nil }) {
		text.Send = "POST one table"
		text.Accepts = []string{"text/csv", "application/x-ndjson", "application/json", "xlsx, zip or gzip of them",
			"multipart/form-data with one file", "Content-Encoding: gzip"}
	}
	w.Header().Set("Cache-Control", "no-store")
	write(w, http.StatusOK, text)
}

func (h *Handler) refused(a *answerer, e *endpoint, err error) {
	var no *refusal
	if !errors.As(err, &no) {
		h.config.Log.Error("cannot answer a webhook", "path", e.path, "error", err)
		no = &refusal{http.StatusServiceUnavailable, "the request cannot be handled now", "send it again"}
		a.w.Header().Set("Retry-After", "60")
	}
	if no.status == http.StatusUnauthorized && a.begins {
		h.config.Log.Debug("asked a phone for its credentials", "path", e.path)
	} else {
		h.config.Log.Info("refused a webhook request", "path", e.path, "status", no.status, "cause", no.message)
	}
	a.refuse(no)
}

// busy is the answer that makes every sender try again.
func busy(w http.ResponseWriter, after time.Duration, reason string) error {
	if after <= 0 {
		after = time.Minute
	}
	w.Header().Set("Retry-After", strconv.Itoa(int(math.Ceil(after.Seconds()))))
	return &refusal{http.StatusServiceUnavailable, reason, "send it again later"}
}

func answer(w http.ResponseWriter, no *refusal) {
	write(w, no.status, struct {
		Error string `json:"error"`
	}{no.Error()})
}

func write(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // the caller is gone when this fails; what is durable stays so
}
