package expression

import (
	"strconv"
	"strings"
)

// LostDigits tells how many digits of a number are gone that a spreadsheet wrote with an exponent:
// 2.54722E+11 keeps six of twelve. Numbers with few digits, such as 1.5E+3, may be meant as they
// stand. It is 0 for any other text.
func LostDigits(s string) int {
	i := strings.IndexAny(s, "eE")
	if i < 0 || len(s) > 40 {
		return 0
	}
	s = strings.TrimSpace(s)
	i = strings.IndexAny(s, "eE")
	exponent, err := strconv.Atoi(s[i+1:])
	whole, fraction, _ := strings.Cut(strings.Replace(strings.TrimLeft(s[:i], "+-"), ",", ".", 1), ".")
	if err != nil || len(whole) != 1 || !isDigits(whole) || !isDigits(fraction) || len(fraction) < 4 ||
		exponent <= len(fraction) || exponent > 60 {
		return 0
	}
	return exponent - len(fraction)
}
