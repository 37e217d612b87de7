package dispatch

import "time"

const (
	rateSlots = 12
	rateSlot  = 5 * time.Second
)

// Rate counts what happened in the last minute. The zero value is ready. Not safe for concurrent use.
type Rate struct {
	slots [rateSlots]float64
	last  int64 // number of the newest slot
	first time.Time
}

// Add counts n at a time.
func (r *Rate) Add(now time.Time, n float64) {
	if r.first.IsZero() {
		r.first = now
	}
	r.forward(now)
	r.slots[r.last%rateSlots] += n
}

// PerSecond gives the rate over the last minute, or since the first count where that is shorter.
func (r *Rate) PerSecond(now time.Time) float64 {
	if r.first.IsZero() {
		return 0
	}
	r.forward(now)
	var sum float64
	for _, n := range r.slots {
		sum += n
	}
	span := min(max(now.Sub(r.first), time.Second), (rateSlots-1)*rateSlot+time.Duration(now.UnixNano()%int64(rateSlot)))
	return sum / span.Seconds()
}

// forward empties the slots of the time that has passed since the last count.
func (r *Rate) forward(now time.Time) {
	slot := now.UnixNano() / int64(rateSlot)
	for r.last < slot {
		if slot-r.last > rateSlots {
			r.last = slot - rateSlots
		}
		r.last++
		r.slots[r.last%rateSlots] = 0
	}
}
