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
	lag      *prometheus.HistogramVec
}

// NewMetrics makes the figures and, when reg is not nil, registers them. read and backlog are asked
// when somebody asks for the figures.
func NewMetrics(reg prometheus.Registerer, breakers []string, read func() Runner, backlog func() int64) (*Metrics,
	error) {
	m := &Metrics{
		accepted: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "culvert_records_accepted_total",
			Help: "Records that sources handed over, by what was done with them: pending, held, skipped, failed, duplicate.",
		}, []string{"rule", "result"}),
		settled: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "culvert_records_settled_total",
			Help: "Outcomes of records and rows: delivered, unchanged, skipped, failed; pending counts tries that will be " +
				"repeated.",
		}, []string{"rule", "server", "outcome"}),
		failures: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "culvert_problems_total", Help: "Problems of records by code, those that heal by themselves too.",
		}, []string{"rule", "server", "code"}),
		size: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "culvert_batch_size_records", Help: "Records in a batch.", Buckets: prometheus.ExponentialBuckets(1, 2, 12),
		}, []string{"server"}),
		latency: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "culvert_batch_duration_seconds", Help: "Time until a server has answered for a batch.",
			Buckets: prometheus.ExponentialBuckets(0.005, 2, 14),
		}, []string{"server"}),
		lag: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "culvert_delivery_lag_seconds",
			Help:    "Time from the acceptance of a record or of its file until it was delivered.",
			Buckets: []float64{0.1, 0.5, 1, 5, 15, 60, 300, 900, 3600, 4 * 3600, 24 * 3600, 7 * 24 * 3600},
		}, []string{"rule", "server"}),
	}
	if reg == nil {
		return m, nil
	}
	for _, c := range []prometheus.Collector{m.accepted, m.settled, m.failures, m.size, m.latency, m.lag,
		newGauges(breakers, read, backlog)} {
		if err := reg.Register(c); err != nil {
			return nil, fmt.Errorf("register metrics: %w", err)
		}
	}
	return m, nil
}

// Accepted counts a record that a source handed over.
func (m *Metrics) Accepted(rule string, state journal.State, duplicate bool) {
	result := string(state)
	if duplicate {
		result = "duplicate"
	}
	m.accepted.WithLabelValues(rule, result).Inc()
}

// Settled counts what became of a record or row; p is its problem, nil when there is none.
func (m *Metrics) Settled(rule, server string, state journal.State, unchanged bool, p *journal.Problem) {
	m.settled.WithLabelValues(rule, server, Outcome(state, unchanged)).Inc()
	if p != nil && p.Code != "" {
		m.failures.WithLabelValues(rule, server, p.Code).Inc()
	}
}

// Delivered notes how long a delivered record or row was on its way since it was accepted.
func (m *Metrics) Delivered(rule, server string, lag time.Duration) {
	m.lag.WithLabelValues(rule, server).Observe(max(0, lag.Seconds()))
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

	backlog, leader, queued, inFlight, batch, concurrency, up, breaker, last, rules, conditions *prometheus.Desc
}

func newGauges(breakers []string, read func() Runner, waiting func() int64) *gauges {
	perServer := func(name, help string) *prometheus.Desc {
		return prometheus.NewDesc("culvert_server_"+name, help, []string{"server"}, nil)
	}
	return &gauges{
		breakers: breakers, read: read, waiting: waiting,
		backlog: prometheus.NewDesc("culvert_backlog_records", "Accepted records that wait, of all rules.", nil, nil),
		leader: prometheus.NewDesc("culvert_leader",
			"1 while this runner runs what only one may run: polls, watched folders, schedules.", nil, nil),
		rules: prometheus.NewDesc("culvert_rules", "Rules by whether they run: running, disabled, invalid.", []string{"state"},
			nil),
		conditions: prometheus.NewDesc("culvert_conditions", "Conditions that need a person; status and /health name them.",
			nil, nil),
		queued:      perServer("queued_records", "Records in memory, ready to be sent."),
		inFlight:    perServer("in_flight_batches", "Batches in flight."),
		batch:       perServer("batch_target_records", "Records in a batch, as the server likes them."),
		concurrency: perServer("concurrency_target_batches", "Batches at once, as the server likes them."),
		last: perServer("last_delivery_timestamp_seconds",
			"When the last record was delivered, since the start of this runner."),
		up: perServer("up",
			"1 while the server takes records, is paused or outside its window; 0 while it is away, refuses our credentials "+
				"or cannot be used."),
		breaker: prometheus.NewDesc("culvert_server_breaker_state",
			"1 for the state that the server is in: closed (all goes), open (away), half-open, credentials.",
			[]string{"server", "state"}, nil),
	}
}

// Describe implements prometheus.Collector.
func (g *gauges) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{g.backlog, g.leader, g.rules, g.conditions, g.queued, g.inFlight, g.batch,
		g.concurrency, g.last, g.up, g.breaker} {
		ch <- d
	}
}

// Collect implements prometheus.Collector.
func (g *gauges) Collect(ch chan<- prometheus.Metric) {
	gauge := gaugeTo(ch)
	r := g.read()
	gauge(g.backlog, float64(g.waiting()))
	gauge(g.leader, truth(r.Leading))
	gauge(g.rules, float64(r.Rules-len(r.Invalid)-len(r.Disabled)), "running")
	gauge(g.rules, float64(len(r.Disabled)), "disabled")
	gauge(g.rules, float64(len(r.Invalid)), "invalid")
	gauge(g.conditions, float64(len(r.Conditions)))
	for _, s := range r.Servers {
		gauge(g.queued, float64(s.Queued), s.Name)
		gauge(g.inFlight, float64(s.InFlight), s.Name)
		gauge(g.batch, float64(s.Batch), s.Name)
		gauge(g.concurrency, float64(s.Concurrency), s.Name)
		gauge(g.up, truth(s.State != ServerAway && s.State != ServerTrying && s.State != ServerCredentials &&
			s.State != ServerUnusable), s.Name)
		if !s.LastDelivered.IsZero() {
			gauge(g.last, seconds(s.LastDelivered), s.Name)
		}
		for _, b := range g.breakers {
			gauge(g.breaker, truth(b == s.Breaker), s.Name, b)
		}
	}
}

// gaugeTo gives a function that hands over one figure.
func gaugeTo(ch chan<- prometheus.Metric) func(d *prometheus.Desc, v float64, labels ...string) {
	return func(d *prometheus.Desc, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
}

// seconds is a moment as Prometheus has it.
func seconds(t time.Time) float64 { return float64(t.UnixMilli()) / 1000 }

func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
