package project

import (
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/culvert/culvert/rules/diag"
	"github.com/culvert/culvert/rules/settings"
	"github.com/culvert/culvert/rules/window"
	"github.com/culvert/culvert/rules/yamlnode"
)

// Notify says what people are told of, and how.
type Notify struct {
	Failed  int                      // a rule is told of once it has so many failed records
	Share   int                      // or once so many in a hundred of the last hour's failed; 0: never
	Away    time.Duration            // a server, once it takes nothing for so long
	Waiting time.Duration            // a record, once it waits for so long
	Silent  map[string]time.Duration // a rule, once it has received nothing for so long; "*" stands for all others
	Quiet   string                   // "22:00-06:00", empty: never
	Digest  time.Duration            // after midnight; negative: none
	Console string                   // address of the console, put into messages
	To      []NotifyChannel
}

// NotifyChannel is one way to people.
type NotifyChannel struct {
	Name string
	Kind string // email, webhook, slack, teams, sms, dhis2
	// URL is that of a webhook, chat or SMS gateway, or the mail server as host:port.
	URL                Text
	TLS                string // of e-mail: starttls, tls or none
	Username, Password Text
	From               string
	To                 []string // addresses or numbers; of dhis2 the ids of users
	Groups             []string // of dhis2 the ids of user groups
	Server             string   // of dhis2
	Body, Type         string   // of sms
	Headers            map[string]Text
	Place              diag.Place
}

func (p *parser) notify(c *Config, r settings.Reader) *Notify {
	out := &Notify{
		Failed:  r.Whole("failed"),
		Share:   r.Whole("failed_percent"),
		Away:    r.Duration("away"),
		Waiting: r.Duration("waiting"),
		Silent:  map[string]time.Duration{},
		Quiet:   r.Text("quiet"),
		Digest:  -1,
		Console: r.Text("console"),
	}
	if silent, ok := r.Sub("silent"); ok {
		for _, rule := range silent.Config.Pairs() {
			out.Silent[rule.Key.Value] = silent.Duration(rule.Key.Value)
		}
	}
	w, err := window.ParseDaily(out.Quiet)
	if out.Quiet != "" && err != nil {
		p.report(r.Node("quiet"), "bad-window", err.Error(), `write the hours as in "22:00-06:00"`)
	}
	if digest := r.Text("digest"); digest != "" {
		at, err := window.ParseClock(digest)
		if err != nil {
			p.report(r.Node("digest"), "bad-window", err.Error(), `write the time of day as in "07:00", in quotes`)
		}
		out.Digest = at
	}
	if out.Quiet != "" && err == nil && out.Digest >= 0 && w.Open(time.Time{}.Add(out.Digest)) {
		p.report(r.Node("digest"), "bad-window",
			"the daily summary falls into the quiet hours, so that it comes when they end", "choose a time outside of them")
	}
	for name, ways := range r.Named("to") {
		out.To = append(out.To, p.channel(c, name, ways))
	}
	return out
}

// channel reads {email: {...}}, {slack: {url: ...}} and so on.
func (p *parser) channel(c *Config, name *yamlnode.Node, r settings.Reader) NotifyChannel {
	ch := NotifyChannel{Name: name.Value, Place: r.Config.Place(), Headers: map[string]Text{}, TLS: "starttls",
		Type: "application/x-www-form-urlencoded"}
	ways := r.Config.Pairs()
	if len(ways) != 1 {
		p.report(r.Config, "bad-channel", r.Label+" must name one way to people",
			"one of email, webhook, slack, teams, sms or dhis2")
		return ch
	}
	ch.Kind = ways[0].Key.Value
	way, _ := r.Sub(ch.Kind)
	switch ch.Kind {
	case "email":
		ch.URL, ch.TLS = p.value(way, "smtp"), way.Word("tls")
	case "slack", "teams": // whoever knows such an address can write to the chat
		ch.URL = p.secretOf(way, "url")
	case "webhook", "sms":
		ch.URL = p.secretURL(way.Path("url"), way.Node("url"))
	}
	if ch.Kind == "sms" {
		ch.Type, ch.Body = way.Word("type"), way.Text("body")
	}
	ch.Username, ch.Password = p.value(way, "username"), p.secretOf(way, "password")
	ch.From, ch.Server = way.Text("from"), way.Text("server")
	ch.To, ch.Groups = append(way.Texts("to"), way.Texts("users")...), way.Texts("user_groups")
	if headers, ok := way.Sub("headers"); ok {
		for _, h := range headers.Config.Pairs() {
			ch.Headers[h.Key.Value] = p.value(headers, h.Key.Value)
		}
	}
	p.checkChannel(c, ch, way.Config)
	return ch
}

// checkChannel says what a schema cannot.
func (p *parser) checkChannel(c *Config, ch NotifyChannel, n *yamlnode.Node) {
	switch ch.Kind {
	case "email":
		host, port, err := net.SplitHostPort(ch.URL.raw)
		if _, bad := strconv.Atoi(port); ch.URL.Literal() && (err != nil || bad != nil) {
			p.report(n.Get("smtp"), "bad-channel", "the mail server is not host:port", "such as smtp.example.org:587")
		}
		if addr, err := netip.ParseAddr(host); ch.TLS == "none" && ch.Username.IsSet() && host != "localhost" &&
			(err != nil || !addr.IsLoopback()) {
			p.report(n.Get("tls"), "bad-channel", "the password would go over the network in the clear",
				"write tls: starttls or tls: tls")
		}
	case "sms":
		if !strings.Contains(ch.URL.raw+ch.Body, "{text}") && ch.URL.Literal() {
			p.report(n, "bad-channel", "neither url nor body says where the text of the message goes",
				`write {to} and {text}, as in body: "to={to}&message={text}"`)
		}
	case "dhis2":
		if ch.Server != "" && c.ServerNamed(ch.Server) == nil {
			p.report(n.Get("server"), "unknown-server", fmt.Sprintf("there is no server %q", ch.Server),
				diag.Suggest(ch.Server, c.ServerNames(), "servers"))
		}
		if len(ch.To)+len(ch.Groups) == 0 {
			p.report(n, "bad-channel", "the message has nobody to go to", "list the ids of users: or user_groups: of DHIS2")
		}
	}
}

func (n *Notify) texts() (out []Text) {
	for _, ch := range n.To {
		out = append(out, ch.URL, ch.Username, ch.Password)
		for _, h := range ch.Headers {
			out = append(out, h)
		}
	}
	return out
}
