package expression

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode"

	"github.com/expr-lang/expr/file"
)

func (c *checker) plus(at file.Location, left, right term) term {
	const adds = kNumber | kText
	l, r := left.shape.may(), right.shape.may()
	for _, t := range []term{left, right} {
		if may := t.shape.may(); may&adds == 0 {
			hint := ""
			switch {
			case may&kDate != 0:
				hint = fmt.Sprintf(`write add(%s, 7, "days") to move a date, text(%s) to join it to a text`, c.source(t),
					c.source(t))
			case may&kBool != 0:
				hint = fmt.Sprintf("write text(%s) to join it to a text", c.source(t))
			}
			return c.report(t.span, CodeWrongType, fmt.Sprintf("+ adds numbers or joins texts, and %s is %s", c.call(t),
				may.article()), hint)
		}
	}
	if l&r&adds == 0 {
		text, number := left, right
		if l&kText == 0 {
			text, number = right, left
		}
		join := fmt.Sprintf("text(%s) to join", c.source(number))
		if number.constant {
			join = fmt.Sprintf("%q to join", c.source(number))
		}
		hint := "write " + join
		if !text.constant {
			hint = fmt.Sprintf("write number(%s) to add, or %s", c.source(text), join)
		}
		return c.report(at, CodeWrongType, fmt.Sprintf("+ adds numbers or joins texts, and %s is text while %s is a number",
			c.call(text), c.call(number)), hint)
	}
	t := c.operation("+", l&r&adds, at, left, right)
	if l&r&adds == adds && !t.constant {
		t.shape = plain(adds)
	}
	return t
}

func (c *checker) membership(at file.Location, left, right term) term {
	may := right.shape.may()
	if may&kItems == 0 {
		hint := ""
		if may&kText != 0 {
			hint = fmt.Sprintf("write %s contains %s for a part of a text, or selected(%s, %s) for a multiple choice",
				c.source(right), c.source(left), c.source(right), c.source(left))
		}
		return c.report(right.span, CodeWrongType, fmt.Sprintf("in needs a list, and %s is %s", c.call(right),
			may.article()), hint)
	}
	if may == kList {
		item, l := right.shape.item().may(), left.shape.may()
		if l&item == 0 && !isTime(l, item) {
			hint := ""
			switch {
			case l == kText && item == kNumber:
				hint = fmt.Sprintf("write number(%s), or the numbers in quotes", c.source(left))
			case l == kNumber && item == kText:
				hint = fmt.Sprintf("write text(%s), or the items without quotes", c.source(left))
			}
			return c.report(left.span, CodeWrongType, fmt.Sprintf("the list has items of type %s, and %s is %s", item,
				c.call(left), l.article()), hint)
		}
	}
	return c.operation("in", kBool, at, left, right)
}

func (c *checker) partOfText(op string, at file.Location, left, right term) term {
	for _, t := range []term{left, right} {
		may := t.shape.may()
		if may&kWord == 0 {
			hint := ""
			if may&kList != 0 && op == "contains" {
				hint = fmt.Sprintf("write %s in %s", c.source(right), c.source(left))
			}
			return c.report(t.span, CodeWrongType, fmt.Sprintf("%s looks into text, and %s is %s", op, c.call(t),
				may.article()), hint)
		}
	}
	return c.operation(op, kBool, at, left, right)
}

func (c *checker) matching(at file.Location, left, right term) term {
	if left.shape.may()&kWord == 0 {
		return c.report(left.span, CodeWrongType, fmt.Sprintf("matches looks into text, and %s is %s", c.call(left),
			left.shape.may().article()), "")
	}
	pattern, ok := right.value.(string)
	if !ok {
		return c.report(right.span, CodeWrongValue, "a pattern is written out, as text in quotes", "")
	}
	re, err := compilePattern(pattern)
	if err != nil {
		return c.reportError(right.span, err)
	}
	return c.operation("matches", kBool, at, left, c.known(re, plain(kText), right.span))
}

// reportError reports what an operation says of a value that is written out.
func (c *checker) reportError(at file.Location, err error) term {
	e := (&Program{}).runError(err, at, nil)
	return c.report(at, e.Code, e.Message, e.Hint)
}

func compilePattern(pattern string) (any, error) {
	if len(pattern) > maxPatternLen {
		return nil, fail(CodeTooComplex, fmt.Sprintf("the pattern is longer than %d characters", maxPatternLen), "")
	}
	re, err := regexp.Compile(pattern)
	if err != nil {
		message := strings.TrimPrefix(err.Error(), "error parsing regexp: ")
		return nil, fail(CodeWrongValue, "the pattern is not a regular expression: "+message,
			`inside quotes a backslash is written twice: "\\d+"`)
	}
	return re, nil
}

// hyphenated finds a field whose name has a hyphen, which reads like a subtraction: trigger.form.visit-date. base is
// what the field is of, key where its name begins. What follows in the name is not reported once more.
func (c *checker) hyphenated(base term, key file.Location) (term, bool) {
	end := key.To
	for end < len(c.text) && (c.text[end] == '-' || c.text[end] == '_' || unicode.IsLetter(c.text[end]) ||
		unicode.IsDigit(c.text[end])) {
		end++
	}
	for ; end > key.To; end-- {
		name := string(c.text[key.From:end])
		if !strings.Contains(name, "-") || base.shape.fields[name] == nil {
			continue
		}
		at := file.Location{From: key.From, To: end}
		c.hyphens = append(c.hyphens, at)
		return c.report(at, CodeUnknownField, fmt.Sprintf("the name %q has a hyphen in it, which reads as minus here", name),
			fmt.Sprintf("write %s[%q]", c.source(base), name)), true
	}
	return term{}, false
}

// ofHyphenated tells whether a name is the rest of one that has been reported for its hyphen.
func (c *checker) ofHyphenated(at file.Location) bool {
	return slices.ContainsFunc(c.hyphens, func(l file.Location) bool { return at.From >= l.From && at.To <= l.To })
}
