package journal

import "time"

// The widths of the stretches of time that figures are kept for, and for how long each is kept.
const (
	Minute = time.Minute //nolint:revive // it is a width, not a number of minutes
	Hour   = time.Hour   //nolint:revive // as above
	Day    = 24 * time.Hour

	KeepMinutes = 2 * Day  //nolint:revive // for how long minutes are kept
	KeepHours   = 62 * Day //nolint:revive // as above
	KeepDays    = 3 * 366 * Day
)

// Figures are what became of a rule's records, rows of files included, in one minute, hour or day
// of UTC. They are counted in the transaction that changes the records, at the time of the change,
// and are never corrected: a record that fails, is replayed and is delivered counts in both.
type Figures struct {
	Start time.Time `json:"start"`
	Rule  string    `json:"rule"`
	// Server is that of the delivery. It is empty for Received, which no server has seen yet.
	Server string `json:"server,omitempty"`

	Received   int64 `json:"received,omitempty"`
	Delivered  int64 `json:"delivered,omitempty"` // what was unchanged included
	Failed     int64 `json:"failed,omitempty"`
	Skipped    int64 `json:"skipped,omitempty"`
	Superseded int64 `json:"superseded,omitempty"`

	// LagSum and LagMax are of those delivered: the time from acceptance, of a row that of its file, to delivery.
	LagSum time.Duration `json:"lag_sum_ns,omitempty"`
	LagMax time.Duration `json:"lag_max_ns,omitempty"`
}

// Add adds what another stretch of time, rule or server counted.
func (f *Figures) Add(o Figures) {
	f.Received += o.Received
	f.Delivered += o.Delivered
	f.Failed += o.Failed
	f.Skipped += o.Skipped
	f.Superseded += o.Superseded
	f.LagSum += o.LagSum
	f.LagMax = max(f.LagMax, o.LagMax)
}

// FigureQuery selects figures. Since and Until name a stretch that contains them; zero fields do not restrict.
type FigureQuery struct {
	Width        time.Duration // Minute, Hour or Day
	Since, Until time.Time     // from the stretch that holds Since to the last one that begins before Until
	Rule, Server string
}
