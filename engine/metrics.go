package engine

import (
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/culvert/culvert/engine/delivery"
	"github.com/culvert/culvert/engine/journal"
)

// metrics are the runner's figures. Labels are rules, servers and codes, never records.
type metrics struct {
	accepted *prometheus.CounterVec
	settled  *prometheus.CounterVec
	failures *prometheus.CounterVec
	size     *prometheus.HistogramVec
	latency  *prometheus.HistogramVec
}

func newMetrics(reg prometheus.Registerer, r *Runner) (*metrics, error) {
	m := &metrics{
		accepted: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "culvert_records_accepted_total", Help: "Records that sources handed over, by what was done with them: pending, held, skipped, failed, duplicate.",
		}, []string{"rule", "as"}),
		settled: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "culvert_records_settled_total", Help: "Outcomes of records and rows: delivered, unchanged, skipped, failed; pending counts tries that will be repeated.",
		}, []string{"rule", "server", "outcome"}),
		failures: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "culvert_problems_total", Help: "Problems of records by code, those that heal by themselves too.",
		}, []string{"rule", "server", "code"}),
		size: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "culvert_batch_records", Help: "Records in a batch.", Buckets: prometheus.ExponentialBuckets(1, 2, 12),
		}, []string{"server"}),
		latency: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "culvert_batch_seconds", Help: "Time until a server has answered for a batch.", Buckets: prometheus.ExponentialBuckets(0.005, 2, 14),
		}, []string{"server"}),
	}
	if reg == nil {
		return m, nil
	}
	for _, c := range []prometheus.Collector{m.accepted, m.settled, m.failures, m.size, m.latency, newGauges(r)} {
		if err := reg.Register(c); err != nil {
			return nil, fmt.Errorf("register metrics: %w", err)
		}
	}
	return m, nil
}

func (m *metrics) accept(rec *journal.Record, duplicate bool) {
	as := string(rec.State)
	if duplicate {
		as = "duplicate"
	}
	m.accepted.WithLabelValues(rec.Rule, as).Inc()
}

func (m *metrics) outcome(rule, server string, state journal.State, unchanged bool, code string) {
	m.settled.WithLabelValues(rule, server, outcomeWord(state, unchanged)).Inc()
	if code != "" {
		m.failures.WithLabelValues(rule, server, code).Inc()
	}
}

func (m *metrics) batch(server string, records int, took time.Duration) {
	m.size.WithLabelValues(server).Observe(float64(records))
	m.latency.WithLabelValues(server).Observe(took.Seconds())
}

// gauges read the runner when they are asked for.
type gauges struct {
	r                                                            *Runner
	backlog, queued, underWay, batch, concurrency, up, rate, led *prometheus.Desc
}

func newGauges(r *Runner) *gauges {
	perServer := func(name, help string) *prometheus.Desc {
		return prometheus.NewDesc("culvert_server_"+name, help, []string{"server"}, nil)
	}
	return &gauges{
		r:           r,
		backlog:     prometheus.NewDesc("culvert_records_pending", "Accepted records that wait.", nil, nil),
		led:         prometheus.NewDesc("culvert_leading", "1 while this runner runs what only one may run.", nil, nil),
		queued:      perServer("queued", "Records in memory, ready to be sent."),
		underWay:    perServer("batches", "Batches under way."),
		batch:       perServer("batch_target", "Records in a batch, as the server likes them."),
		concurrency: perServer("concurrency_target", "Batches at once, as the server likes them."),
		rate:        perServer("rate", "Records settled per second over the last minute."),
		up:          prometheus.NewDesc("culvert_server_state", "1 for the state that the server is in: closed (all goes), open (away), half-open, credentials.", []string{"server", "breaker"}, nil),
	}
}

// Describe implements prometheus.Collector.
func (g *gauges) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{g.backlog, g.led, g.queued, g.underWay, g.batch, g.concurrency, g.rate, g.up} {
		ch <- d
	}
}

// Collect implements prometheus.Collector.
func (g *gauges) Collect(ch chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	gauge(g.backlog, float64(g.r.backlog.Load()))
	gauge(g.led, truth(g.r.leading.Load()))
	for name, l := range g.r.lanes {
		s := l.status()
		gauge(g.queued, float64(s.Queued), name)
		gauge(g.underWay, float64(s.UnderWay), name)
		gauge(g.batch, float64(s.Batch), name)
		gauge(g.concurrency, float64(s.Concurrency), name)
		gauge(g.rate, s.Rate, name)
		l.mu.Lock()
		state := l.breaker.State()
		l.mu.Unlock()
		for _, b := range []delivery.BreakerState{delivery.Closed, delivery.Open, delivery.HalfOpen, delivery.Refused} {
			gauge(g.up, truth(b == state), name, string(b))
		}
	}
}

func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// countRow counts a row that needed no server.
func (r *Runner) countRow(flow *Flow, o *rowOutcome) {
	code := ""
	if o.problem != nil {
		code = o.problem.Code
	}
	r.metrics.outcome(flow.Rule.Name, flow.Server, o.state, o.unchanged, code)
}
