package mail

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"

	"github.com/culvert/culvert/sources"
)

// login is how a user shows who he is: with a password or a token.
type login struct{ username, password, token string }

const tokenTime = 30 * time.Second

// loginOf asks for a token where one is needed.
func loginOf(ctx context.Context, c sources.Connection) (login, error) {
	l := login{username: c.Username, password: c.Password}
	address := c.Own["token_url"]
	if address == "" {
		return l, nil
	}
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || u.Scheme != "https" && !(u.Scheme == "http" && addressHere(u)) {
		return l, errors.New("token_url is no address: write it as https://host/path, as the provider's documentation " +
			"says it")
	}
	ctx, cancel := context.WithTimeout(ctx, tokenTime)
	ctx = context.WithValue(ctx, oauth2.HTTPClient, &http.Client{Timeout: tokenTime})
	defer cancel()
	var scopes []string
	if scope := c.Own["scope"]; scope != "" {
		scopes = []string{scope}
	}
	var from oauth2.TokenSource
	if refresh := c.Own["refresh_token"]; refresh != "" {
		config := oauth2.Config{ClientID: c.Own["client_id"], ClientSecret: c.Own["client_secret"], Scopes: scopes,
			Endpoint: oauth2.Endpoint{TokenURL: address}}
		from = config.TokenSource(ctx, &oauth2.Token{RefreshToken: refresh})
	} else {
		config := clientcredentials.Config{ClientID: c.Own["client_id"], ClientSecret: c.Own["client_secret"],
			TokenURL: address, Scopes: scopes}
		from = config.TokenSource(ctx)
	}
	token, err := from.Token()
	if answer, ok := errors.AsType[*oauth2.RetrieveError](err); ok { // its text may hold what was sent
		return l, fmt.Errorf("%s gives no token: it says %q; check client_id, client_secret and refresh_token", u.Hostname(),
			fmt.Sprint(answer.Response.StatusCode, " ", answer.ErrorCode))
	}
	if err != nil {
		return l, fmt.Errorf("ask %s for a token: %w", u.Hostname(), err)
	}
	l.token = token.AccessToken
	return l, nil
}

func addressHere(u *url.URL) bool { return address{host: u.Hostname()}.here() }

// xoauth2 logs in with a token as Google and Microsoft know it.
type xoauth2 struct{ user, token string }

// Start gives the token.
func (x *xoauth2) Start() (mechanism string, response []byte, err error) {
	return "XOAUTH2", []byte(
		"user=" + x.user + "\x01auth=" + strings.Join([]string{"Bearer", x.token}, " ") + "\x01\x01",
	), nil
}

// Next answers why the token was refused, which a server tells before it says no.
func (x *xoauth2) Next([]byte) ([]byte, error) { return []byte{}, nil }
