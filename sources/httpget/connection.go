package httpget

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/culvert/culvert/rules/diag"
	"github.com/culvert/culvert/rules/settings"
	"github.com/culvert/culvert/sources"
)

// ConnectionName is the key of a connection to a web API.
const ConnectionName = "http"

// System is any web API that culvert.yaml names as a connection.
type System struct{}

// Connection says which keys a connection to a web API has.
func (System) Connection() sources.ConnectionKind {
	return sources.ConnectionKind{
		Name: ConnectionName, Doc: "address of a web API, which the paths of rules go on from",
		Example: "https://registry.example.org/api",
		Keys: []settings.Field{
			{Name: "username", LeftOut: "nobody logs in so", Doc: "user name, sent with password"},
			{Name: "password", Type: settings.Secret, LeftOut: "nobody logs in so",
				Doc: "password, as ${NAME} or {file: path}"},
			{Name: "bearer", Type: settings.Secret, LeftOut: "none is sent",
				Doc: "token, as ${NAME} or {file: path}, sent as Authorization: Bearer"},
			{Name: "api_key", Type: settings.Secret, LeftOut: "none is sent",
				Doc: "key, as ${NAME} or {file: path}, sent in a header of its own"},
			{Name: "header", Default: "X-API-Key", Doc: "header that api_key is sent in, such as Authorization with a key of " +
				"`Token ...`"},
		},
		Requires: func(has func(string) bool) (message, hint string) {
			ways := 0
			for _, key := range []string{"username", "bearer", "api_key"} {
				if has(key) {
					ways++
				}
			}
			switch {
			case ways > 1:
				return "logs in in several ways", "keep one of username with password, bearer, and api_key"
			case has("username") != has("password"):
				return "has half of a login", "give username: with password: ${NAME}"
			case has("header") && !has("api_key"):
				return "names a header and nothing to send in it", "add api_key: ${NAME}"
			}
			return "", ""
		},
	}
}

const defaultHeader = "X-API-Key"

// Ping asks for the address itself: whatever it answers, it is there, unless it refuses the login.
func (System) Ping(ctx context.Context, c sources.Connection, log *slog.Logger) error {
	client, base, err := Connect(c, log)
	if err != nil {
		return err
	}
	client.Tries, client.Timeout = 1, pingTimeout
	_, err = client.Get(ctx, base)
	if e, ok := err.(*Error); ok && e.Status != 0 && e.Status < 500 &&
		e.Status != http.StatusUnauthorized { //nolint:errorlint // Get's own
		return nil
	}
	return err
}

const pingTimeout = 20 * time.Second

// Connect makes the client of a connection, and gives the address that paths go on from. The
// credentials are sent with every request, and never unprotected to another machine.
func Connect(c sources.Connection, log *slog.Logger) (*Client, *url.URL, error) {
	u, err := url.Parse(strings.TrimRight(c.URL, "/"))
	if err != nil || u.Host == "" || u.User != nil || u.Scheme != "https" && u.Scheme != "http" || u.RawQuery != "" ||
		u.Fragment != "" {
		return nil, nil, &Error{
			Problem: diag.Problem{Message: fmt.Sprintf("the address of connection %q cannot be read", c.Name),
				Hint: "write http: https://host/path, without user, password and question mark"},
		}
	}
	out := &Client{Username: c.Username, Password: c.Password, Header: http.Header{}, Log: log}
	switch {
	case c.Bearer != "":
		out.Header.Set("Authorization", "Bearer "+c.Bearer)
	case c.APIKey != "":
		header := c.Header
		if header == "" {
			header = defaultHeader
		}
		out.Header.Set(header, c.APIKey)
	case c.Username == "":
		return out, u, nil
	}
	return out, u, Protected(u, c.Name)
}
