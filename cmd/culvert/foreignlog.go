package main

import (
	stdlog "log"
	"log/slog"
	"regexp"
	"strings"
)

// foreignLog has what libraries write to Go's own log come as lines of ours. Only the beginning of
// each is kept: some repeat what a server sent, which may be of a person.
func foreignLog(log *slog.Logger) {
	stdlog.SetFlags(0)
	stdlog.SetOutput(foreignLines{log})
}

type foreignLines struct{ log *slog.Logger }

// longestForeign bounds what is kept of a line, in bytes: a panic in a handler brings its stack along.
const longestForeign = 4 << 10

// answered is what net/http shows of an answer that it did not ask for.
var answered = regexp.MustCompile(`(?s) starting with .*`)

// Write implements io.Writer.
func (f foreignLines) Write(line []byte) (int, error) {
	text := strings.TrimSpace(string(line[:min(len(line), longestForeign)]))
	text = answered.ReplaceAllString(text, "")
	f.log.Warn("a library says something", "text", strings.ToValidUTF8(text, ""))
	return len(line), nil
}
