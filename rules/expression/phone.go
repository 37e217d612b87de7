package expression

import (
	"cmp"
	"fmt"
	"strings"
	"unicode"

	"github.com/nyaruka/phonenumbers"
)

var (
	errPhoneText = fail(CodeWrongValue, "the phone number holds letters",
		"leave only the number in the source; words belong into a field of their own")
	errPhoneDigits = fail(CodeWrongValue,
		"the phone number is written with an exponent, as spreadsheets do, and its last digits are lost",
		"format the column as text and enter the number again")
)

// errPhone is the failure of what is no number of the country, or of any where the rule names none.
func errPhone(country string) error {
	if country == "" {
		return fail(CodeWrongValue, "the phone number does not say of which country it is",
			`name the country in the rule, as in phone(text, "KE"), or write numbers with + and the code of the country`)
	}
	return fail(CodeWrongValue, fmt.Sprintf("the text is not a phone number of %s", strings.ToUpper(country)),
		"correct the number in the source, or write it with + and the code of its country")
}

// errPhones is the failure of several numbers in one text, with how to take the first.
func errPhones(s, country string) error {
	hint := "give each a column of its own in the source"
	if separator := separatorOf(s); separator != "" {
		hint = fmt.Sprintf(
			`take one of them in the rule, such as phone(split(text, %q)[0], %q), or give each a column of its own`,
			separator,
			cmp.Or(strings.ToUpper(country), "KE"),
		)
	}
	return fail(CodeWrongValue, "the text holds several phone numbers", hint)
}

// separators stand between several phone numbers of one text.
const separators = "/,;&|\n"

// separatorOf gives what stands between two numbers of a text; nothing where they are hard to part.
func separatorOf(s string) string {
	if i := strings.IndexAny(s, separators); i >= 0 {
		return s[i : i+1]
	}
	if strings.Count(s, " ") == 1 && isDigits(strings.NewReplacer(" ", "", "+", "", "-", "").Replace(s)) {
		return " "
	}
	return ""
}

// callPhone gives a phone number in its international form.
func callPhone(f *frame, a []any) (any, error) {
	s := strings.TrimSpace(a[0].(string))
	if s == "" {
		return "", nil
	}
	if err := f.reads(phoneCost); err != nil {
		return nil, err
	}
	country, _ := a[1].(string)
	if len(s) > 100 {
		return nil, errPhone(country)
	}
	if digits, ok := strings.CutSuffix(s, ".0"); ok && isDigits(strings.TrimPrefix(digits, "+")) {
		s = digits // of a spreadsheet that took the number for an amount
	}
	if err := onePhone(s, country); err != nil {
		return nil, err
	}
	if rest, ok := strings.CutPrefix(s, "00"); ok {
		// The prefix with which most of the world dials abroad.
		if n, err := phonenumbers.Parse("+"+rest, ""); err == nil && phonenumbers.IsValidNumber(n) {
			return phonenumbers.Format(n, phonenumbers.E164), nil
		}
	}
	n, err := phonenumbers.Parse(s, country)
	if err != nil || !phonenumbers.IsValidNumber(n) {
		return nil, errPhone(country)
	}
	return phonenumbers.Format(n, phonenumbers.E164), nil
}

// onePhone refuses what is more or less than one number: the library for phone numbers reads
// letters as the keys of a telephone, and takes the first of several.
func onePhone(s, country string) error {
	digits, letters, long := 0, false, 0
	for _, r := range s {
		switch {
		case unicode.IsDigit(r):
			digits++
		case unicode.IsLetter(r):
			letters = true
		case strings.ContainsRune(separators, r):
			if digits >= 6 {
				long++
			}
			digits = 0
		}
	}
	if digits >= 6 {
		long++
	}
	switch {
	case isExponent(s):
		return errPhoneDigits
	case long > 1 || digits > 16:
		return errPhones(s, country)
	case letters:
		return errPhoneText
	}
	return nil
}

func isDigits(s string) bool {
	return s != "" && strings.Trim(s, "0123456789") == ""
}

// isExponent tells whether a number is written as spreadsheets write long ones: 2.54722E+11.
func isExponent(s string) bool {
	mantissa, exponent, ok := strings.Cut(strings.ToUpper(s), "E")
	if !ok || !isDigits(strings.TrimLeft(exponent, "+")) {
		return false
	}
	whole, fraction, _ := strings.Cut(strings.Replace(mantissa, ",", ".", 1), ".")
	return isDigits(whole) && (fraction == "" || isDigits(fraction))
}
