// Package pseudonym replaces what may tell whom a record is about, so that a real record can become a
// sample that lies in git: names, numbers, ids, dates, positions and free text. It replaces whatever it
// is not told to keep.
package pseudonym

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// Replacer replaces alike what is alike, within one record or several: the id of a case is the same
// wherever it stands. What was replaced cannot be found again without its key, which nobody keeps.
type Replacer struct {
	key  []byte
	days int                     // that dates are moved by
	keep func(value string) bool // what tells nothing of a person: choices, codes of places, what the rule itself names
}

// New makes a replacer. keep tells of a whole value that it is no person's; nil: nothing is kept but
// yes and no, short numbers, and what names the form.
func New(keep func(string) bool) *Replacer {
	r := &Replacer{key: make([]byte, 32), keep: keep}
	_, _ = rand.Read(r.key) // it never fails
	r.days = -30 - int(r.number("days")%300)
	return r
}

// number draws one by a text: the same for the same text.
func (r *Replacer) number(text string) uint64 {
	h := hmac.New(sha256.New, r.key)
	h.Write([]byte(text))
	return binary.BigEndian.Uint64(h.Sum(nil))
}

// structural are keys whose values name the form and its program, and no person.
var structural = []string{
	"@xmlns", "xmlns", "@name", "#type", "@version", "@uiversion", "version", "__version__", "app_id",
	"build_id", "domain", "_xform_id_string", "formhub", "type", "doc_type", "case_type", "@type", "status",
	"_status",
}

// ambiguous are those of them that a form's question may be called too: what is written there stays
// where it is a word of a program, and not where it is a name or a sentence.
var ambiguous = []string{"version", "domain", "type", "status", "formhub"}

var programWord = regexp.MustCompile(`^[a-z0-9][a-z0-9_.-]*$`)

func isStructural(key, value string) bool {
	key = strings.ToLower(key)
	return slices.Contains(structural, key) && (!slices.Contains(ambiguous, key) || programWord.MatchString(value))
}

// Record gives a record with everything replaced that is not kept. Keys, order of lists, and what is
// true, false or nothing stay.
func (r *Replacer) Record(body any) any { return r.value("", body) }

func (r *Replacer) value(key string, v any) any {
	switch v := v.(type) {
	case map[string]any:
		out := make(map[string]any, len(v))
		for k, field := range v {
			out[k] = r.value(k, field)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, item := range v {
			out[i] = r.value(key, item)
		}
		return out
	case string:
		if isStructural(key, v) {
			return v
		}
		return r.Text(v)
	case float64:
		return r.float(v)
	case json.Number:
		return json.Number(r.digits(v.String()))
	case int:
		return int(r.float(float64(v)))
	case int64:
		return int64(r.float(float64(v)))
	}
	return v
}

// shortNumber is below which a number is a count, an age or a measurement, and tells no person.
const shortNumber = 1000

func (r *Replacer) float(f float64) float64 {
	text := strconv.FormatFloat(f, 'f', -1, 64)
	if g, err := strconv.ParseFloat(r.digits(text), 64); err == nil && !math.IsInf(g, 0) {
		return g
	}
	return 0
}

var (
	decimal   = regexp.MustCompile(`^-?\d+(\.\d+)?$`)
	positions = regexp.MustCompile(`^(-?\d{1,7}(\.\d+)?[\s,;]*){2,4}$`)
	position  = regexp.MustCompile(`-?\d{1,3}\.\d{3,}`)
	isoDate   = regexp.MustCompile(`\b\d{4}-\d{2}-\d{2}`)
	moment    = regexp.MustCompile(`^\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}(:\d{2}(\.\d+)?)?)?\s?(Z|[+-]\d{2}:?\d{2})?$`)
	dayDate   = regexp.MustCompile(`\b(\d{1,2})([/.])(\d{1,2})[/.](\d{4})\b`)
	email     = regexp.MustCompile(`^[^@\s]+@[^@\s]+$`)
	idLike    = regexp.MustCompile(`^[0-9A-Za-z]+(?:[-_:/][0-9A-Za-z]+)*$`)
	ending    = regexp.MustCompile(`\.[a-z0-9]{2,4}$`)
	plain     = []string{"yes", "no", "true", "false", "oui", "non", "sim", "não", "---", "n/a", "ok"}
)

// Text replaces one value.
func (r *Replacer) Text(text string) string {
	trimmed := strings.TrimSpace(text)
	switch {
	case trimmed == "" || slices.Contains(plain, strings.ToLower(trimmed)) || r.keep != nil && r.keep(trimmed):
		return text
	case decimal.MatchString(trimmed):
		return r.digits(text)
	case moment.MatchString(trimmed):
		return r.moved(text)
	case dayDate.FindString(trimmed) == trimmed:
		return r.movedDay(text)
	case positions.MatchString(trimmed) && position.MatchString(trimmed):
		return position.ReplaceAllStringFunc(text, near)
	case !strings.ContainsFunc(trimmed, unicode.IsLetter) && strings.ContainsFunc(trimmed, unicode.IsDigit):
		return r.each(text, 0) // a phone number with spaces
	case email.MatchString(trimmed):
		return strings.ToLower(r.name(trimmed)) + "@example.org"
	case idLike.MatchString(trimmed) && strings.ContainsAny(trimmed, "0123456789"):
		return r.id(text)
	}
	return r.words(text)
}

// moved moves the dates in a text, all by the same number of days; times of the day stay.
func (r *Replacer) moved(text string) string {
	return isoDate.ReplaceAllStringFunc(text, func(day string) string {
		at, err := time.Parse(time.DateOnly, day)
		if err != nil {
			return "2000-01-01"
		}
		return at.AddDate(0, 0, r.days).Format(time.DateOnly)
	})
}

func (r *Replacer) movedDay(text string) string {
	return dayDate.ReplaceAllStringFunc(text, func(day string) string {
		m := dayDate.FindStringSubmatch(day)
		at, err := time.Parse("2/1/2006", m[1]+"/"+m[3]+"/"+m[4])
		if err != nil {
			return "01" + m[2] + "01" + m[2] + "2000"
		}
		return at.AddDate(0, 0, r.days).Format("02" + m[2] + "01" + m[2] + "2006")
	})
}

// near gives a position within some ten kilometres.
func near(text string) string {
	f, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return "0.0"
	}
	return strconv.FormatFloat(f, 'f', 1, 64)
}

// digits replaces the digits of a number that is long enough to be somebody's; the first stays, so
// that a phone number or a year looks like one.
func (r *Replacer) digits(text string) string {
	if f, err := strconv.ParseFloat(strings.TrimSpace(text), 64); err == nil && math.Abs(f) < shortNumber {
		if i := strings.IndexByte(text, '.'); i < 0 || len(text)-i <= 3 {
			return text
		}
		return near(strings.TrimSpace(text))
	}
	return r.each(text, 1)
}

// each replaces every digit and letter of an id by another of its kind, but the first few.
func (r *Replacer) each(text string, keep int) string {
	n := 0
	return strings.Map(func(c rune) rune {
		if !unicode.IsDigit(c) && !unicode.IsLetter(c) {
			return c
		}
		n++
		if n <= keep {
			return c
		}
		x := rune(r.number(text+"\x00"+strconv.Itoa(n)) % 26)
		switch {
		case unicode.IsDigit(c):
			return '0' + x%10
		case c >= 'a' && c <= 'f':
			return 'a' + x%6 // hexadecimal digits stay such
		case c >= 'A' && c <= 'F':
			return 'A' + x%6
		case c >= 'a' && c <= 'z':
			return 'a' + x
		case c >= 'A' && c <= 'Z':
			return 'A' + x
		}
		return '0' + x%10
	}, text)
}

// id replaces an id, and keeps a word such as uuid: before it.
func (r *Replacer) id(text string) string {
	if at := strings.IndexByte(text, ':'); at > 0 && !strings.ContainsAny(text[:at], "0123456789") {
		return text[:at+1] + r.each(text[at+1:], 0)
	}
	return r.each(text, 0)
}

// names are given to people who do not exist.
var names = []string{
	"Amina", "Bako", "Chidi", "Dalia", "Efua", "Farai", "Ghada", "Hawa", "Imani", "Jabu", "Kofi", "Lindiwe",
	"Moussa", "Nadia", "Oumar", "Palesa", "Rania", "Sipho", "Tariro", "Usman", "Wanjiru", "Yara", "Zola", "Ayo",
}

func (r *Replacer) name(text string) string {
	return names[r.number(strings.ToLower(text))%uint64(len(names))]
}

var word = regexp.MustCompile(`[\p{L}\p{M}'’]+|\p{N}+`)

// words replaces every word of a text; an ending such as .jpg stays.
func (r *Replacer) words(text string) string {
	end := ending.FindString(text)
	text = strings.TrimSuffix(text, end)
	return word.ReplaceAllStringFunc(text, func(w string) string {
		first := []rune(w)[0]
		switch {
		case unicode.IsNumber(first) && len(w) < 2:
			return w
		case unicode.IsNumber(first):
			return r.each(w, 0)
		case strings.ToUpper(w) == w && strings.ToLower(w) != w:
			return strings.ToUpper(r.name(w))
		case unicode.IsUpper(first):
			return r.name(w)
		}
		return strings.ToLower(r.name(w))
	}) + end
}
