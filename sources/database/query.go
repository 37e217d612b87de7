package database

import (
	"fmt"
	"strings"
)

// problem is a mistake in a query, at a range of its bytes.
type problem struct {
	from, to      int
	message, hint string
}

// changing are the words of statements that change data or take locks. A read-only transaction
// refuses them too; SQL Server has none.
var changing = map[string]bool{
	"INSERT": true, "UPDATE": true, "DELETE": true, "MERGE": true, "DROP": true, "ALTER": true, "CREATE": true,
	"TRUNCATE": true,
	"INTO":     true, "EXEC": true, "EXECUTE": true, "CALL": true, "GRANT": true, "REVOKE": true, "LOCK": true,
}

// checkQuery finds what keeps a text from being the one SELECT that can be read page by page.
func checkQuery(text string) []problem { return checkSelect(text, true) }

// checkSelect finds what keeps a text from being one SELECT; one that is paged has no order and no limit of its own.
func checkSelect(text string, paged bool) []problem {
	var found []problem
	add := func(t token, message, hint string) { found = append(found, problem{t.from, t.to, message, hint}) }
	depth, first := 0, true
	var open token
	s := scanner{text: text}
	for {
		t, ok := s.next()
		if !ok {
			break
		}
		word := strings.ToUpper(text[t.from:t.to])
		if first {
			if word != "SELECT" && word != "WITH" {
				add(t, "the query does not begin with SELECT or WITH", "only reading is possible: write a SELECT")
				return found
			}
			first = false
		}
		switch {
		case t.unclosed != "":
			add(t, t.unclosed+" is not closed", "close it")
			return found
		case word == "(":
			if depth++; depth == 1 {
				open = t
			}
		case word == ")":
			if depth--; depth < 0 {
				add(t, "this ) closes nothing", "take it out, or add its (")
				return found
			}
		case word == ";":
			add(t, "the query holds a semicolon", "write one statement, without a semicolon at its end")
			return found
		case t.word && changing[word]:
			add(t, fmt.Sprintf("the query holds %s: it must only read", word),
				"write a plain SELECT; quote the word if it names a column")
		case paged && t.word && depth == 0 && (word == "LIMIT" || word == "OFFSET" || word == "FETCH"):
			add(t, fmt.Sprintf("the query has a %s of its own, so that later rows would never be read", word),
				"take it out: rows are read in batches anyway; see batch:")
		case paged && t.word && depth == 0 && word == "ORDER":
			add(t, "the query has an order of its own", "take ORDER BY out: rows are read in the order of the cursor")
		}
	}
	switch {
	case first:
		found = append(found, problem{0, len(text), "the query is empty", "write a SELECT"})
	case depth > 0:
		add(open, "this ( is not closed", "close it")
	}
	return found
}

// token is a word, a sign or a quoted text of a query.
type token struct {
	from, to int
	word     bool
	unclosed string // what has no end
}

type scanner struct {
	text string
	at   int
}

// next gives the next token; comments and space are passed over.
func (s *scanner) next() (token, bool) {
	for s.at < len(s.text) {
		rest := s.text[s.at:]
		from := s.at
		switch c := rest[0]; {
		case c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f' || c == '\v':
			s.at++
		case strings.HasPrefix(rest, "--"):
			if end := strings.IndexByte(rest, '\n'); end >= 0 {
				s.at += end
			} else {
				s.at = len(s.text)
			}
		case strings.HasPrefix(rest, "/*"):
			end := strings.Index(rest[2:], "*/")
			if end < 0 {
				s.at = len(s.text)
				return token{from: from, to: from + 2, unclosed: "this comment"}, true
			}
			s.at += end + 4
		case c == '\'' || c == '"' || c == '`':
			return s.quoted(c), true
		case isWordByte(c):
			for s.at < len(s.text) && isWordByte(s.text[s.at]) {
				s.at++
			}
			return token{from: from, to: s.at, word: true}, true
		default:
			s.at++
			return token{from: from, to: s.at}, true
		}
	}
	return token{}, false
}

// quoted reads a text or a name in quotes; a doubled quote stands for itself.
func (s *scanner) quoted(quote byte) token {
	from := s.at
	s.at++
	for s.at < len(s.text) {
		if s.text[s.at] != quote {
			s.at++
			continue
		}
		if s.at+1 < len(s.text) && s.text[s.at+1] == quote {
			s.at += 2
			continue
		}
		s.at++
		return token{from: from, to: s.at}
	}
	return token{from: from, to: from + 1, unclosed: "this quote"}
}

func isWordByte(c byte) bool {
	return c == '_' || c == '$' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= 0x80
}
