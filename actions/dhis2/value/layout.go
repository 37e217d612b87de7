package value

import "strings"

// layoutTokens in the order in which they are tried: the longer first.
var layoutTokens = strings.NewReplacer(
	"yyyy", "2006", "YYYY", "2006", "yy", "06",
	"MMMM", "January", "MMM", "Jan", "MM", "01", "M", "1",
	"dd", "02", "DD", "02", "d", "2",
	"HH", "15", "H", "15", "hh", "03", "h", "3",
	"mm", "04", "ss", "05", "SSS", "000", "a", "PM",
	"XXX", "Z07:00", "xx", "-0700",
)

// layout gives Go's form of a date layout such as dd/MM/yyyy.
func layout(format string) string { return layoutTokens.Replace(format) }
