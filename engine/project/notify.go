package project

import (
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/culvert/culvert/rules/diag"
	"github.com/culvert/culvert/rules/yamlnode"
)

// Notify says what people are told of, and how.
type Notify struct {
	Failed  int                      // a rule is told of once it has so many failed records
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

func (p *parser) notify(c *Config, n *yamlnode.Node) *Notify {
	out := &Notify{Failed: 1, Away: 15 * time.Minute, Waiting: 24 * time.Hour, Silent: map[string]time.Duration{},
		Digest: -1}
	for _, pair := range n.Pairs() {
		v := pair.Value
		switch pair.Key.Value {
		case "failed":
			out.Failed = p.integer(v)
		case "away":
			out.Away = p.duration(v)
		case "waiting":
			out.Waiting = p.duration(v)
		case "silent":
			for _, rule := range v.Pairs() {
				out.Silent[rule.Key.Value] = p.duration(rule.Value)
			}
		case "quiet":
			out.Quiet = v.Value
			if _, err := ParseWindow(v.Value); err != nil {
				p.report(v, "bad-window", err.Error(), `write the hours as in "22:00-06:00"`)
			}
		case "digest":
			at, err := clock(v.Value)
			if err != nil {
				p.report(v, "bad-window", err.Error(), `write the time of day as in "07:00", in quotes`)
			}
			out.Digest = at
		case "console":
			out.Console = v.Value
		case "to":
			for _, ch := range v.Pairs() {
				out.To = append(out.To, p.channel(c, ch.Key, ch.Value))
			}
		}
	}
	if w, err := ParseWindow(out.Quiet); out.Quiet != "" && err == nil && out.Digest >= 0 &&
		w.Open(time.Time{}.Add(out.Digest)) {
		p.report(n.Get("digest"), "bad-window",
			"the daily summary falls into the quiet hours, so that it comes when they end", "choose a time outside of them")
	}
	return out
}

// channel reads {email: {...}}, {slack: {url: ...}} and so on; the schema says which keys each has.
func (p *parser) channel(c *Config, name, n *yamlnode.Node) NotifyChannel {
	ch := NotifyChannel{Name: name.Value, Place: n.Place(), Headers: map[string]Text{}, TLS: "starttls",
		Type: "application/x-www-form-urlencoded"}
	ways := n.Pairs()
	if len(ways) != 1 {
		p.report(n, "bad-channel", fmt.Sprintf("notify.to.%s must name one way to people", name.Value),
			"one of email, webhook, slack, teams, sms or dhis2")
		return ch
	}
	ch.Kind = ways[0].Key.Value
	v := ways[0].Value
	key := "notify.to." + ch.Name + "." + ch.Kind
	if s := v.Get("smtp"); s != nil {
		ch.URL = p.text(key+".smtp", s)
	}
	if u := v.Get("url"); u != nil {
		ch.URL = p.secretURL(key+".url", u)
		if ch.Kind == "slack" || ch.Kind == "teams" { // whoever knows such an address can write to the chat
			ch.URL = p.secret(key+".url", u)
		}
	}
	ch.Username = p.text(key+".username", v.Get("username"))
	if w := v.Get("password"); w != nil {
		ch.Password = p.secret(key+".password", w)
	}
	for _, text := range []struct {
		key  string
		into *string
	}{{"tls", &ch.TLS}, {"from", &ch.From}, {"body", &ch.Body}, {"type", &ch.Type}, {"server", &ch.Server}} {
		if t := v.Get(text.key); t != nil {
			*text.into = t.Value
		}
	}
	ch.To, ch.Groups = append(values(v.Get("to")), values(v.Get("users"))...), values(v.Get("user_groups"))
	for _, h := range v.Get("headers").Pairs() {
		ch.Headers[h.Key.Value] = p.text(key+".headers."+h.Key.Value, h.Value)
	}
	p.checkChannel(c, ch, v)
	return ch
}

func values(n *yamlnode.Node) (list []string) {
	for _, item := range n.Items() {
		list = append(list, item.Value)
	}
	return list
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
