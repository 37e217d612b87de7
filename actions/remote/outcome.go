package remote

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/culvert/culvert/actions"
	"github.com/culvert/culvert/rules/diag"
)

// longestSentence bounds what is kept of what a system says, in runes.
const longestSentence = 300

// longestWait bounds what a system may ask to be waited for.
const longestWait = time.Hour

// Expect says which answers are good and which heal by themselves, beside those that do so everywhere.
type Expect struct {
	Success []int // empty: 200 to 299
	Retry   []int
}

// good tells whether a status is a success.
func (e Expect) good(status int) bool {
	if len(e.Success) > 0 {
		return slices.Contains(e.Success, status)
	}
	return status/100 == 2
}

// Outcome says what an answer means for the write that was sent. Whether the system as a whole is
// away is said by the class: everything for it waits then.
func (e Expect) Outcome(host string, a Answer) actions.Outcome {
	o := actions.Outcome{Detail: Sentence(a)}
	said := func(status actions.Status, class actions.Class, code, hint, format string, args ...any) actions.Outcome {
		o.Status, o.Class = status, class
		o.Problem = diag.Problem{Code: code, Message: fmt.Sprintf(format, args...), Hint: hint}
		o.RetryAfter = RetryAfter(a.Header, time.Now())
		return o
	}
	const again = "it is tried again by itself"
	switch {
	case a.Err != nil:
		return said(actions.Retry, actions.ClassServer, "unreachable", again, "%s cannot be reached: %v", host, a.Err)
	case e.good(a.Status):
		return actions.Outcome{Status: actions.Delivered}
	case slices.Contains(e.Retry, a.Status):
		return said(actions.Retry, actions.ClassTransient, "asked-to-wait", again, "%s answers %s", host, words(a.Status))
	case a.Status == http.StatusUnauthorized || a.Status == http.StatusProxyAuthRequired:
		return said(actions.Retry, actions.ClassCredentials, "credentials",
			"correct user, password or key of the connection in culvert.yaml or the environment",
			"%s refuses our credentials", host)
	case a.Status == http.StatusTooManyRequests || a.Status == http.StatusServiceUnavailable ||
		a.Status == http.StatusBadGateway || a.Status == http.StatusGatewayTimeout:
		return said(actions.Retry, actions.ClassServer, "overloaded", again, "%s answers %s", host, words(a.Status))
	case a.Status == http.StatusRequestTimeout || a.Status == http.StatusTooEarly || a.Status >= 500:
		return said(actions.Retry, actions.ClassTransient, "server-error",
			again+"; when it goes on, look at the log of the other system", "%s answers %s", host, words(a.Status))
	case a.Status/100 == 3:
		return said(actions.Failed, actions.ClassMetadata, "redirected",
			"write the address that it names into culvert.yaml, then replay",
			"%s sends the request on to %s, which is not followed", host, hostOf(a.Header.Get("Location")))
	case a.Status == http.StatusForbidden:
		return said(actions.Failed, actions.ClassRights, "forbidden", "give the connection's user the right, then replay",
			"%s does not allow this", host)
	}
	return said(actions.Failed, actions.ClassData, "refused",
		"correct the record or the rule; the record's particulars hold what the system said", "%s answers %s", host,
		words(a.Status))
}

func words(status int) string {
	if text := http.StatusText(status); text != "" {
		return fmt.Sprintf("%d (%s)", status, text)
	}
	return strconv.Itoa(status)
}

// longestHost is how many bytes the name of a host has, with its port.
const longestHost = 260

func hostOf(location string) string {
	u, err := url.Parse(location)
	switch {
	case err != nil || location == "":
		return "another address"
	case u.Host == "":
		return "another path"
	case len(u.Host) > longestHost:
		return "another address"
	}
	return u.Scheme + "://" + u.Host
}

// RetryAfter gives how long a system asks to wait: seconds, or until a time.
func RetryAfter(h http.Header, now time.Time) time.Duration {
	text := h.Get("Retry-After")
	if text == "" {
		return 0
	}
	if n, err := strconv.Atoi(text); err == nil {
		return min(max(time.Duration(min(n, 1<<20))*time.Second, 0), longestWait)
	}
	if at, err := http.ParseTime(text); err == nil {
		return min(max(at.Sub(now), 0), longestWait)
	}
	return 0
}

// sentences are the keys under which systems put what is wrong.
var sentences = []string{
	"error",
	"message",
	"detail",
	"error_description",
	"description",
	"title",
	"diagnostics",
	"details",
	"text",
}

// Sentence gives what a system said is wrong: one line, bounded. It may hold data.
func Sentence(a Answer) string {
	if len(a.Body) == 0 || !utf8.Valid(a.Body) {
		return ""
	}
	var v any
	text := string(a.Body)
	if json.Unmarshal(a.Body, &v) == nil {
		if found := sentenceIn(v, 0); found != "" {
			text = found
		}
	} else if strings.HasPrefix(strings.TrimSpace(text), "<") {
		return "" // a page
	}
	text = strings.Join(
		strings.FieldsFunc(text, func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) }),
		" ",
	)
	if r := []rune(text); len(r) > longestSentence {
		return string(r[:longestSentence]) + "…"
	}
	return text
}

func sentenceIn(v any, depth int) string {
	if depth > 4 {
		return ""
	}
	switch x := v.(type) {
	case string:
		return x
	case []any:
		for _, item := range x {
			if found := sentenceIn(item, depth+1); found != "" {
				return found
			}
		}
	case map[string]any:
		for _, key := range append(sentences, "issue", "errors") {
			if found := sentenceIn(x[key], depth+1); found != "" {
				return found
			}
		}
	}
	return ""
}
