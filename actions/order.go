package actions

import "time"

// Order says which of two records that write one object is the newer one. The zero Order is of what
// nothing is known of; nothing is older than it.
type Order struct {
	Version int64 // as the source gives it, see TimeVersion and NumberVersion; 0: it gives none
	Seq     int64 // place in the order of acceptance; 0: not known
}

// The lowest bit of a version tells times from numbers.
const numberBit = 1

// TimeVersion is the version that a time stands for, to the microsecond. Times of all sources can be compared.
func TimeVersion(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro() << 1
}

// NumberVersion is the version that a number stands for, which counts for records of one rule. It
// takes numbers from -(1<<61 - 1) to 1<<61 - 1.
func NumberVersion(n int64) int64 { return n<<1 | numberBit }

// Comparable tells whether two versions say which one is newer.
func Comparable(a, b int64) bool { return a != 0 && b != 0 && (a^b)&numberBit == 0 }

// Before tells whether o is older than another order: by their versions where both have one of the
// same kind, else by their places.
func (o Order) Before(other Order) bool {
	if Comparable(o.Version, other.Version) && o.Version != other.Version {
		return o.Version < other.Version
	}
	return o.Seq != 0 && o.Seq < other.Seq
}
