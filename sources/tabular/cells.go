package tabular

import (
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/culvert/culvert/sources/charset"
)

// Guard makes a cell safe to open in a spreadsheet, which would run text that begins like a
// formula: such a cell gets an apostrophe in front. Numbers and CommCare's mark for questions not
// asked stay as they are. Unguard takes the apostrophe off again.
func Guard(cell string) string {
	if !formulaLike(cell) || cell == notAsked {
		return cell
	}
	if _, err := strconv.ParseFloat(cell, 64); err == nil {
		return cell
	}
	return "'" + cell
}

// Unguard takes off the apostrophe that Guard put in front.
func Unguard(cell string) string {
	if len(cell) > 1 && cell[0] == '\'' && formulaLike(cell) {
		return cell[1:]
	}
	return cell
}

// formulaLike tells whether a cell begins like a formula, behind any apostrophes. Spreadsheets pass
// over blanks before it, those of some countries begin a new cell at a semicolon, and those of
// others take the wide signs of East Asian keyboards.
func formulaLike(cell string) bool {
	cell = strings.TrimLeft(cell, "'")
	if cell == "" {
		return false
	}
	if cell[0] == '\t' || cell[0] == '\r' {
		return true
	}
	first, _ := utf8.DecodeRuneInString(strings.TrimLeft(cell, " \u00a0\u2003\u3000\ufeff\t\r\n;,\"'"))
	return strings.ContainsRune("=+-@＝＋－＠", first) && first != utf8.RuneError
}

// PlainName gives a file's name as text. Names from old Windows shares and from zips may be in no
// encoding that the system knows; the journal, results and messages need text.
func PlainName(name string) string {
	if utf8.ValidString(name) {
		return name
	}
	var western charset.Western
	western.Add([]byte(name))
	if western.Plausible() {
		if text, err := charset.UTF8([]byte(name), "windows-1252"); err == nil {
			return string(text)
		}
	}
	return strings.ToValidUTF8(name, "_")
}
