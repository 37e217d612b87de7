package status

import (
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/culvert/culvert/engine/journal"
)

// Metrics are a runner's figures. Labels are rules, servers and codes, never records.
type Metrics struct {
	accepted *prometheus.CounterVec
	settled  *prometheus.CounterVec
	failures *prometheus.CounterVec
	size     *prometheus.HistogramVec
	latency  *prometheus.HistogramVec
}

// NewMetrics makes the figures and, when reg is not nil, registers them. read and backlog are asked when somebody asks for the figures.
func NewMetrics(reg prometheus.Registerer, breakers []string, read func() Runner, backlog func() int64) (*Metrics, error) {
	m := &Metrics{
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
	for _, c := range []prometheus.Collector{m.accepted, m.settled, m.failures, m.size, m.latency, newGauges(breakers, read, backlog)} {
		if err := reg.Register(c); err != nil {
			return nil, fmt.Errorf("register metrics: %w", err)
		}
	}
	return m, nil
}

// Accepted counts a record that a source handed over.
func (m *Metrics) Accepted(rule string, state journal.State, duplicate bool) {
	as := string(state)
	if duplicate {
		as = "duplicate"
	}
	m.accepted.WithLabelValues(rule, as).Inc()
}

// Settled counts what became of a record or row; p is its problem, nil when there is none.
func (m *Metrics) Settled(rule, server string, state journal.State, unchanged bool, p *journal.Problem) {
	m.settled.WithLabelValues(rule, server, Outcome(state, unchanged)).Inc()
	if p != nil && p.Code != "" {
		m.failures.WithLabelValues(rule, server, p.Code).Inc()
	}
}

// Batch counts a batch that a server has answered for.
func (m *Metrics) Batch(server string, records int, took time.Duration) {
	m.size.WithLabelValues(server).Observe(float64(records))
	m.latency.WithLabelValues(server).Observe(took.Seconds())
}

// Outcome names what became of a record or row, for figures and results files.
func Outcome(state journal.State, unchanged bool) string {
	if state == journal.Delivered && unchanged {
		return "unchanged"
	}
	return string(state)
}

// gauges read the runner when they are asked for.
type gauges struct {
	breakers []string
	read     func() Runner
	waiting  func() int64

	backlog, queued, inFlight, batch, concurrency, up, rate, led *prometheus.Desc
}

func newGauges(breakers []string, read func() Runner, waiting func() int64) *gauges {
	perServer := func(name, help string) *prometheus.Desc {
		return prometheus.NewDesc("culvert_server_"+name, help, []string{"server"}, nil)
	}
	return &gauges{
		breakers: breakers, read: read, waiting: waiting,
		backlog:     prometheus.NewDesc("culvert_records_pending", "Accepted records that wait.", nil, nil),
		led:         prometheus.NewDesc("culvert_leading", "1 while this runner runs what only one may run.", nil, nil),
		queued:      perServer("queued", "Records in memory, ready to be sent."),
		inFlight:    perServer("batches", "Batches in flight."),
		batch:       perServer("batch_target", "Records in a batch, as the server likes them."),
		concurrency: perServer("concurrency_target", "Batches at once, as the server likes them."),
		rate:        perServer("rate", "Records settled per second over the last minute."),
		up: prometheus.NewDesc("culvert_server_state", "1 for the state that the server is in: closed (all goes), open (away), half-open, credentials.",
			[]string{"server", "breaker"}, nil),
	}
}

// Describe implements prometheus.Collector.
func (g *gauges) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{g.backlog, g.led, g.queued, g.inFlight, g.batch, g.concurrency, g.rate, g.up} {
		ch <- d
	}
}

// Collect implements prometheus.Collector.
func (g *gauges) Collect(ch chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	r := g.read()
	gauge(g.backlog, float64(g.waiting()))
	gauge(g.led, truth(r.Leading))
	for _, s := range r.Servers {
		gauge(g.queued, float64(s.Queued), s.Name)
		gauge(g.inFlight, float64(s.InFlight), s.Name)
		gauge(g.batch, float64(s.Batch), s.Name)
		gauge(g.concurrency, float64(s.Concurrency), s.Name)
		gauge(g.rate, s.Rate, s.Name)
		for _, b := range g.breakers {
			gauge(g.up, truth(b == s.Breaker), s.Name, b)
		}
	}
}

func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
