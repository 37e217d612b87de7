package project

import (
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/culvert/culvert/rules/settings"
	"github.com/culvert/culvert/rules/yamlnode"
)

// authorities reads the name of a file of certificates. One outside of the project is looked for where it is used.
func (p *parser) authorities(r settings.Reader) string {
	name := r.Text("ca_file")
	if name == "" || filepath.IsAbs(name) {
		return name
	}
	if _, err := os.Stat(filepath.Join(p.dir, filepath.FromSlash(name))); errors.Is(err, fs.ErrNotExist) {
		p.report(r.Node("ca_file"), "missing-file", fmt.Sprintf("the file %q does not exist", name),
			"paths count from the folder that holds culvert.yaml")
	}
	return name
}

// networks reads a list of addresses and networks.
func (p *parser) networks(items []*yamlnode.Node) (list []netip.Prefix) {
	for _, item := range items {
		prefix, err := netip.ParsePrefix(item.Value)
		if addr, aerr := netip.ParseAddr(item.Value); err != nil && aerr == nil {
			prefix, err = netip.PrefixFrom(addr, addr.BitLen()), nil
		}
		if err != nil {
			p.report(item, "networks", fmt.Sprintf("%q is no network", item.Value),
				"write an address such as 127.0.0.1, or a network such as 10.0.0.0/8")
			continue
		}
		list = append(list, prefix.Masked())
	}
	return list
}

func (p *parser) url(r settings.Reader, key string) Text {
	n, t := r.Node(key), p.value(r, key)
	if !t.Literal() {
		return t
	}
	u, err := url.Parse(t.raw)
	switch {
	case err != nil || u.Host == "":
		p.report(n, "bad-url", fmt.Sprintf("%q is not the address of a server", t.raw),
			"write it as https://dhis2.example.org/path")
	case u.User != nil:
		p.report(n, "secret-in-file", "the server's address holds credentials",
			"move them to `username:` and `password: ${NAME}`")
	case u.Scheme != "http" && u.Scheme != "https":
		p.report(n, "bad-url", fmt.Sprintf("%q is not an address that DHIS2 answers at", u.Scheme+"://"),
			"it starts with https://")
	}
	return t
}

// value reads a key that is a text, ${NAME} or {file: path}.
func (p *parser) value(r settings.Reader, key string) Text { return p.text(r.Path(key), r.Node(key)) }

// secretOf is value of a key whose text must not stand in the file itself.
func (p *parser) secretOf(r settings.Reader, key string) Text {
	return p.secret(r.Path(key), r.Node(key))
}

func (p *parser) text(key string, n *yamlnode.Node) Text {
	if n == nil {
		return Text{}
	}
	if n.Kind == yamlnode.Mapping {
		if f := n.Get("file"); f != nil {
			return Text{file: f.Value, dir: p.dir, key: key}
		}
		p.report(n, "bad-value", key+" is neither text nor {file: path}",
			"write `"+last(key)+": ${NAME}` or `"+last(key)+": {file: path}`")
		return Text{}
	}
	return Text{raw: n.Value, key: key}
}

// secret is a text that must not stand in the file itself.
func (p *parser) secret(key string, n *yamlnode.Node) Text {
	t := p.text(key, n)
	if t.Literal() {
		name := strings.ToUpper(strings.NewReplacer(".", "_", "-", "_").Replace(strings.TrimPrefix(key, "servers.")))
		p.report(n, "secret-in-file", key+" stands in the file, where everyone who can read the repository sees it",
			"write `"+last(key)+": ${"+name+"}` and set that variable where Culvert runs, or {file: path}; and change the "+
				"secret, for it is known now")
	}
	return t
}

// encryptionKeys reads the keys of the journal, the newest first: one, or a list.
func (p *parser) encryptionKeys(c *Config, r settings.Reader) {
	if r.Has("encryption_key") && r.Has("encryption_keys") {
		p.report(r.Node("encryption_keys"), "two-keys", "encryption_key and encryption_keys are both given",
			"write all keys in encryption_keys, the newest first")
	}
	if r.Has("encryption_key") {
		t := p.secretOf(r, "encryption_key")
		c.Encryption = &t
	}
	for _, item := range r.List("encryption_keys") {
		t := p.secret("encryption_keys", item)
		if c.Encryption == nil {
			c.Encryption = &t
			continue
		}
		c.OldKeys = append(c.OldKeys, t)
	}
}

func last(key string) string { return key[strings.LastIndexByte(key, '.')+1:] }

// zone reads the zone of dates without one; UTC where the file says nothing.
func (p *parser) zone(r settings.Reader) *time.Location {
	name := r.Text("time_zone")
	z, err := time.LoadLocation(name)
	if err != nil {
		p.report(r.Node("time_zone"), "unknown-zone", fmt.Sprintf("%q is not a time zone", name),
			"use a name such as Africa/Dar_es_Salaam")
		return time.UTC
	}
	return z
}

// ParseDuration reads 90s, 30m, 6h, 30d, and Go's own forms.
func ParseDuration(s string) (time.Duration, error) {
	d, err := settings.ParseDuration(s)
	if err != nil || d < 0 {
		return 0, fmt.Errorf("%q is not a length of time", s)
	}
	return d, nil
}

// secretURL is an address that may carry a password only through the environment.
func (p *parser) secretURL(key string, n *yamlnode.Node) Text {
	t := p.text(key, n)
	if !t.Literal() {
		return t
	}
	if u, err := url.Parse(t.raw); err == nil && u.User != nil {
		if _, has := u.User.Password(); has {
			p.report(n, "secret-in-file", key+" holds a password, where everyone who can read the repository sees it",
				"put the whole address into a variable: `"+last(key)+": ${DATABASE_URL}`")
		}
	}
	return t
}
