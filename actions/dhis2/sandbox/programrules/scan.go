package programrules

import (
	"fmt"
	"strconv"
	"strings"
)

type parser struct {
	text    string
	at      int
	version int
}

func (p *parser) fail(format string, args ...any) error {
	return fmt.Errorf("%s at position %d", fmt.Sprintf(format, args...), p.at+1)
}

func (p *parser) peek() byte { return p.ahead(0) }

func (p *parser) ahead(n int) byte {
	if p.at+n >= len(p.text) {
		return 0
	}
	return p.text[p.at+n]
}

func (p *parser) expect(c byte) error {
	if p.peek() != c || p.at >= len(p.text) {
		return p.fail("expected %c", c)
	}
	p.at++
	return nil
}

// space passes over white space and comments.
func (p *parser) space() {
	for p.at < len(p.text) {
		switch {
		case isSpace(p.text[p.at]):
			p.at++
		case strings.HasPrefix(p.text[p.at:], "/*"):
			end := strings.Index(p.text[p.at+2:], "*/")
			if end < 0 {
				p.at = len(p.text)
				return
			}
			p.at += end + 4
		default:
			return
		}
	}
}

func (p *parser) while(test func(byte) bool) string {
	start := p.at
	for p.at < len(p.text) && test(p.text[p.at]) {
		p.at++
	}
	return p.text[start:p.at]
}

// word passes over a word of the language that is not part of a longer name.
func (p *parser) word(w string) bool {
	if !strings.HasPrefix(p.text[p.at:], w) || isIdentifier(p.ahead(len(w))) {
		return false
	}
	p.at += len(w)
	return true
}

func (p *parser) number() (*node, error) {
	start := p.at
	p.while(isDigit)
	if p.peek() == '.' {
		p.at++
		p.while(isDigit)
	}
	if c := p.peek(); c == 'e' || c == 'E' {
		p.at++
		if c := p.peek(); c == '+' || c == '-' {
			p.at++
		}
		p.while(isDigit)
	}
	f, err := parseDouble(p.text[start:p.at])
	if err != nil {
		return nil, err
	}
	return &node{kind: number, num: f}, nil
}

// quoted reads a text; it ends at the quote that opened it, or at the end of the line.
func (p *parser) quoted() (*node, error) {
	raw, err := p.raw()
	if err != nil {
		return nil, err
	}
	text, err := unescape(raw)
	return &node{kind: quoted, text: text, raw: raw}, err
}

func (p *parser) raw() (string, error) {
	quote := p.peek()
	p.at++
	start := p.at
	for p.at < len(p.text) {
		switch c := p.text[p.at]; {
		case c == '\\':
			p.at += 2
		case c == quote || c == '\n' || c == '\r':
			p.at++
			return p.text[start : p.at-1], nil
		default:
			p.at++
		}
	}
	return "", fmt.Errorf("a text is not closed by %c", quote)
}

// unescape resolves \n, \uXXXX, octal codes and escaped signs.
func unescape(raw string) (string, error) {
	if !strings.Contains(raw, `\`) {
		return raw, nil
	}
	var b strings.Builder
	for i := 0; i < len(raw); i++ {
		if raw[i] != '\\' || i+1 >= len(raw) {
			b.WriteByte(raw[i])
			continue
		}
		i++
		switch c := raw[i]; {
		case c == 'u' || isDigit(c):
			digits, base := 4, 16
			if c != 'u' {
				digits, base = 3, 8
			}
			if i+digits >= len(raw) {
				return "", fmt.Errorf("the escape \\%c is cut short", c)
			}
			code, err := strconv.ParseInt(raw[i+1:i+1+digits], base, 32)
			if err != nil {
				return "", fmt.Errorf("the escape \\%s is not a code", raw[i:i+1+digits])
			}
			b.WriteRune(rune(code))
			i += digits
		case strings.IndexByte("btnfr", c) >= 0:
			b.WriteByte("\b\t\n\f\r"[strings.IndexByte("btnfr", c)])
		default:
			b.WriteByte(c)
		}
	}
	return b.String(), nil
}

func isUIDs(s string) bool {
	if i := strings.IndexByte(s, ':'); i >= 0 {
		s = s[i+1:]
	}
	for _, uid := range strings.Split(s, "&") {
		if uid != "*" && !isUID(uid) {
			return false
		}
	}
	return true
}

func isUID(s string) bool {
	if len(s) != 11 || !isLetter(s[0]) {
		return false
	}
	for i := range len(s) {
		if !isLetter(s[i]) && !isDigit(s[i]) {
			return false
		}
	}
	return true
}

func isSpace(c byte) bool { return c == ' ' || c == '\t' || c == '\n' || c == '\r' }

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

func isLetter(c byte) bool { return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' }

func isIdentifier(c byte) bool { return c == '_' || isLetter(c) }
