package client

import (
	"context"
	"fmt"
	"html"
	"net/http"
	"net/url"
	"regexp"
	"strings"

	"github.com/culvert/culvert/rules/diag"
)

const insteadOfDHIS2 = "a web page came instead of DHIS2's answer: a login page, a proxy or a firewall"

// instead keeps the page that came instead of DHIS2's answer, so that it can be told whether the
// server or the request is the reason.
func (e *Error) instead(page *answer) *Error {
	e.page = page
	return e
}

// answersOthers tells whether the server answers something small as DHIS2 does: then a page in
// place of another answer is about that request.
func (c *Client) answersOthers(ctx context.Context) bool {
	a, failed := c.once(ctx, request{method: http.MethodGet, path: "system/info",
		query: url.Values{"fields": {"version"}}})
	return failed == nil && c.refusal(a) == nil
}

// requestRefused is a page in place of an answer from a server that answers others: of DHIS2's own
// web server, of a proxy or of a firewall.
func (c *Client) requestRefused(r request, page *answer) *Error {
	text := pageText(page.body)
	if aboutParameter(text) {
		return c.requestMistaken(page.status, text)
	}
	e := &Error{Kind: Refused, Status: page.status, Request: page.status < 500, Detail: shorten(text),
		Problem: diag.Problem{Message: fmt.Sprintf("%s answers %s /api/%s with a web page (HTTP %d), though it answers "+
			"other requests", c.name,
			r.method,
			strings.TrimPrefix(r.path, "/"), page.status),
			Hint: "see the detail for what the page says; ask whoever runs the server whether a proxy or firewall before it " +
				"refuses some requests"}}
	if page.status == http.StatusNotFound {
		e.Message = fmt.Sprintf("there is no /api/%s at %s (HTTP 404), though it answers other requests",
			strings.TrimPrefix(r.path, "/"), c.name)
		e.Hint = "see whether a proxy before the server lets this path through, and which version of DHIS2 it is"
	}
	if page.status >= 500 {
		e.Hint = "it is tried again by itself; see the server's own log if this goes on"
	}
	return e
}

// requestMistaken is a refusal that speaks of a parameter: Culvert asked in a way that this server does not take.
func (c *Client) requestMistaken(status int, words string) *Error {
	return &Error{Kind: Refused, Status: status, Request: true, Detail: shorten(words),
		Problem: diag.Problem{Message: fmt.Sprintf("Culvert asked %s in a way that its version does not take (HTTP %d): %s",
			c.name, status,
			firstSentence(words)),
			Hint: "this is a mistake of Culvert, not of the record: update Culvert, then replay the record; please report " +
				"it if it stays"}}
}

// parameterWords are how DHIS2 and its web server speak of parameters. They hold names of
// parameters, never a value of a record.
var parameterWords = regexp.MustCompile("(?i)required (request )?(parameter|part)|(parameter|program|`program`) is " +
	"(mandatory|required|not present)|" +
	"should be specified|is not valid for parameter|unsupported parameter|cannot be specified together|" +
	"must be greater than or equal to 1 if specified|is not supported for this endpoint")

func aboutParameter(message string) bool { return parameterWords.MatchString(message) }

// firstSentence is the part of a message about a parameter that can stand in a sentence of ours:
// without the value that was given.
func firstSentence(words string) string {
	words = shorten(words)
	if i := parameterWords.FindStringIndex(words); i != nil && strings.HasPrefix(words, "Value '") {
		return "the value" + words[strings.LastIndex(words[:i[0]], "'")+1:i[1]] + parameterName(words[i[1]:])
	}
	if len(words) > 160 {
		words = words[:strings.LastIndexAny(words[:160], " .,;")+1] + "…"
	}
	return strings.TrimRight(words, " .")
}

// parameterName is the first word of what follows "is not valid for parameter".
func parameterName(rest string) string {
	name, _, _ := strings.Cut(strings.TrimSpace(rest), " ")
	return " " + strings.TrimRight(name, ".,")
}

var (
	hiddenParts = regexp.MustCompile(`(?is)<(style|script)[^>]*>.*?</(style|script)>`)
	tags        = regexp.MustCompile(`(?s)<[^>]*>`)
	messagePart = regexp.MustCompile(`(?s)Message</b>(.*?)</p>`)
)

// maxPage bounds how much of a page is looked at.
const maxPage = 16 << 10

// pageText is what a page says: of Tomcat's own pages the message, of others their words.
func pageText(page []byte) string {
	text := string(page[:min(len(page), maxPage)])
	if m := messagePart.FindStringSubmatch(text); m != nil {
		text = m[1]
	}
	text = tags.ReplaceAllString(hiddenParts.ReplaceAllString(text, " "), " ")
	return shorten(html.UnescapeString(text))
}
