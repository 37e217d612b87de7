package value

import (
	"cmp"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"unicode"

	"github.com/culvert/culvert/rules/dateformat"
)

// numberForms are examples of numbers as the world writes them.
var numberForms = []string{"1.234,5", "1,234.5", "1 234,5", "1 234.5", "1'234.5"}

// beforeWords is a number with words behind it, such as "25 years" or "60kg". What they mean is for the rule to say:
// 25 months are no 25 years.
var beforeWords = regexp.MustCompile(`^[0-9]+([.,][0-9]+)? ?\pL{1,20}\.?$`)

// severalNumbers is more or less than one number: "10-15", "4 ou 5", "<5".
var severalNumbers = regexp.MustCompile(
	`^[<>≤≥~±≈] ?[0-9.,]+$|^[0-9.,]+ ?(-|–|/|\+|à|a|to|ou|or|et|e|and) ?[0-9.,]+$|[½¼¾]`)

// plainNumber is what only the separators keep from being a number.
var plainNumber = regexp.MustCompile(`^[-+]?[0-9][0-9.,' \x{a0}\x{202f}]*$`)

// numberHint says how a number is written that is not understood, or what it is instead.
func (k *Kind) numberHint(s, otherwise string) string {
	fits, mark := k.written(s)
	switch {
	case k.format != "" && !k.whole() && isPlain(s):
		return formatHint([]string{"1234.5"}, true)
	case len(fits) > 0 && k.format == "" && k.whole() && strings.Contains(s, ".") && isPlain(s):
		return "where the point separates thousands, write `format: " + asYAML(fits[0]) + "`; else correct it in the source"
	case len(fits) == 1 && k.format == "" && strings.Contains(s, ",") && strings.HasSuffix(fits[0], ",5"):
		return "it is written with a decimal comma: write `format: " + asYAML(fits[0]) + "`"
	case len(fits) == 1 && k.format == "":
		return "its thousands are separated: write `format: " + asYAML(fits[0]) + "`"
	case len(fits) > 0:
		return formatHint(fits, k.format != "")
	case mark != "":
		return fmt.Sprintf("it has a fraction: correct it in the source, or round it in the expression: "+
			"round(number(…, %q))", mark)
	case isPlain(s):
		return otherwise // it has a fraction
	case letterForDigit(s):
		return "a letter stands where a digit belongs (O for 0, l for 1): correct it in the source"
	case beforeWords.MatchString(s):
		part := "[0-9.]+"
		if strings.Contains(s, ",") {
			part = "[0-9,]+"
		}
		return fmt.Sprintf("words stand behind the number: where they always mean the same, take it out of them with "+
			"regex_extract(…, %q)", part)
	case strings.HasSuffix(s, "%"):
		return `take the sign off: replace(…, "%", "")`
	case isDate(s):
		return "it is a date: give the cell the format of a number where a spreadsheet made a date of it, or name another " +
			"field"
	case severalNumbers.MatchString(s):
		return "it is not one number: correct it in the source, or say in a value map which number stands for it"
	case !strings.ContainsFunc(s, unicode.IsDigit) || plainNumber.MatchString(s):
		return otherwise
	}
	return "correct it in the source, or name the field that holds the number"
}

// written gives the formats by which a text is a number that the type takes, one for each number that it may be; where
// it has a fraction by all of them, which the type does not take, the mark before that.
func (k *Kind) written(s string) (formats []string, mark string) {
	seen := map[string]bool{}
	for _, format := range numberForms {
		plain, ok := separators(s, format)
		if !ok || plain == s {
			continue
		}
		n, ok := canonical(plain)
		if !ok {
			continue
		}
		if _, part, _ := strings.Cut(n, "."); k.whole() && strings.Trim(part, "0") != "" {
			point, _ := marks(format)
			mark = cmp.Or(mark, string(point))
			continue
		}
		if !seen[n] {
			seen[n] = true
			formats = append(formats, format)
		}
	}
	return formats, mark
}

// whole tells whether the type takes whole numbers alone.
func (k *Kind) whole() bool { return strings.HasPrefix(k.Type, "INTEGER") }

func isPlain(s string) bool {
	_, ok := canonical(s)
	return ok
}

// letterForDigit tells whether a text is a number once letters that look like digits are such.
func letterForDigit(s string) bool {
	digit := strings.NewReplacer("O", "0", "o", "0", "l", "1", "I", "1").Replace(s)
	return digit != s && digits(digit) && (strings.ContainsFunc(s, unicode.IsDigit) || strings.EqualFold(s, "o"))
}

func isDate(s string) bool {
	_, _, iso := instant(s, nil)
	return iso || len(dateformat.Guess(s)) > 0
}

// shareHint says what to do with a share that is no number between 0 and 1.
func shareHint(s, otherwise string) string {
	if n, ok := canonical(s); ok {
		if f, err := strconv.ParseFloat(n, 64); err == nil && f > 1 && f <= 100 {
			return "where it is a percentage, divide it by 100 in the expression"
		}
	}
	return otherwise
}
