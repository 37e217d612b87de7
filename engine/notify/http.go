package notify

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
)

// Webhook posts messages as JSON: whole, or in the shape that Slack's or Teams' incoming webhooks take.
type Webhook struct {
	Channel string
	URL     string
	Shape   string // json, slack or teams
	Headers map[string]string
	Client  *http.Client
}

// Name implements Channel.
func (w *Webhook) Name() string { return w.Channel }

// Send implements Channel.
func (w *Webhook) Send(ctx context.Context, m Message) error {
	body, err := json.Marshal(w.shape(m))
	if err != nil {
		return fmt.Errorf("write the message: %w", err)
	}
	return post(ctx, w.Client, w.URL, "application/json", w.Headers, body)
}

// slackText writes what Slack would take for a link or a mention.
var slackText = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;")

func (w *Webhook) shape(m Message) any {
	type object = map[string]any
	switch w.Shape {
	case "slack":
		return object{"text": slackText.Replace("*" + m.Subject() + "*\n" + m.Text())}
	case "teams":
		line := func(text string, more object) object {
			block := object{"type": "TextBlock", "text": text, "wrap": true}
			for k, v := range more {
				block[k] = v
			}
			return block
		}
		card := object{
			"$schema": "http://adaptivecards.io/schemas/adaptive-card.json", "type": "AdaptiveCard", "version": "1.4",
			"body": []object{line(m.Subject(), object{"weight": "bolder"}), line(m.Text(), nil)},
		}
		return object{"type": "message", "attachments": []object{{"contentType": "application/vnd.microsoft.card.adaptive",
			"content": card}}}
	}
	return struct {
		Message
		Subject string `json:"subject"`
		Text    string `json:"text"`
	}{m.listed(), m.Subject(), m.Text()}
}

// SMS sends one request for each number to a gateway. In the address and the body {to} and {text}
// stand for the number and the message, written as the body's type needs it.
type SMS struct {
	Channel string
	URL     string
	Body    string // empty: a GET of the address
	Type    string // of the body
	To      []string
	Headers map[string]string
	Client  *http.Client
	Log     *slog.Logger // of numbers that were not reached though others were
}

// longestSMS is how many characters are sent: two messages as phones count them.
const longestSMS = 300

// Name implements Channel.
func (s *SMS) Name() string { return s.Channel }

// Send implements Channel. A digest is not sent by SMS.
func (s *SMS) Send(ctx context.Context, m Message) error {
	if len(m.New)+len(m.Resolved) == 0 {
		return nil
	}
	text := m.Short(longestSMS)
	var failed []error
	for _, to := range s.To {
		if err := s.sendTo(ctx, to, text); err != nil {
			failed = append(failed, err)
		}
	}
	if len(failed) == len(s.To) {
		return errors.Join(failed...)
	}
	if len(failed) > 0 && s.Log != nil {
		// Some were told, whom another attempt would tell twice.
		s.Log.Error("an SMS could not be sent to everybody", "channel", s.Channel, "failed", len(failed),
			"of", len(s.To), "error", errors.Join(failed...))
	}
	return nil
}

func (s *SMS) sendTo(ctx context.Context, to, text string) error {
	address := strings.NewReplacer("{to}", url.QueryEscape(to), "{text}", url.QueryEscape(text)).Replace(s.URL)
	if s.Body == "" {
		return request(ctx, s.Client, http.MethodGet, address, "", s.Headers, nil)
	}
	quote := url.QueryEscape
	if s.Type == "application/json" {
		quote = func(v string) string {
			b, _ := json.Marshal(v) // a string always has a JSON form
			return string(b[1 : len(b)-1])
		}
	}
	body := strings.NewReplacer("{to}", quote(to), "{text}", quote(text)).Replace(s.Body)
	return post(ctx, s.Client, address, s.Type, s.Headers, []byte(body))
}

func post(ctx context.Context, c *http.Client, address, contentType string, headers map[string]string,
	body []byte) error {
	return request(ctx, c, http.MethodPost, address, contentType, headers, body)
}

// request sends a message. Its error names the host alone: addresses of chats are secrets.
func request(ctx context.Context, c *http.Client, method, address, contentType string, headers map[string]string,
	body []byte) error {
	ctx, cancel := context.WithTimeout(ctx, sendTimeout)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, method, address, bytes.NewReader(body))
	if err != nil {
		return errors.New("the address is not a URL")
	}
	if contentType != "" {
		r.Header.Set("Content-Type", contentType)
	}
	for name, value := range headers {
		r.Header.Set(name, value)
	}
	if c == nil {
		c = &http.Client{CheckRedirect: stayAtHost}
	}
	answer, err := c.Do(r)
	if err != nil {
		var wrapped *url.Error
		if errors.As(err, &wrapped) {
			err = wrapped.Err
		}
		return fmt.Errorf("%s: %w", r.URL.Host, err)
	}
	defer answer.Body.Close()
	if _, err := io.CopyN(io.Discard, answer.Body, 4<<10); err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("%s: read the answer: %w", r.URL.Host, err)
	}
	if answer.StatusCode/100 != 2 {
		return fmt.Errorf("%s answered %s", r.URL.Host, answer.Status)
	}
	return nil
}

// stayAtHost refuses redirects to another host: headers that are secrets would go there.
func stayAtHost(r *http.Request, via []*http.Request) error {
	if len(via) >= 5 || r.URL.Host != via[0].URL.Host || r.URL.Scheme != via[0].URL.Scheme {
		return errors.New("the address redirects to another host: write that one")
	}
	return nil
}
