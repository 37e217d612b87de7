package project

import (
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// Text is a value of culvert.yaml that may come from the environment (${NAME}) or from a file
// ({file: path}), so that secrets stay out of git. It is resolved when it is used, not when the
// file is read: validate needs no secrets.
type Text struct {
	raw  string
	file string // path, when the value is kept in a file
	dir  string // of the project, for relative paths
	key  string // where it stands in culvert.yaml, for messages
}

// maxSecretFile bounds a file that a value is read from.
const maxSecretFile = 64 << 10

var variable = regexp.MustCompile(`\$\{([A-Za-z_][A-Za-z0-9_]*)\}`)

// IsSet tells whether the project gives the value at all.
func (t Text) IsSet() bool { return t.raw != "" || t.file != "" }

// Literal tells whether the value stands in the file itself.
func (t Text) Literal() bool { return t.file == "" && t.raw != "" && !variable.MatchString(t.raw) }

// Resolve gives the value. The error names the key and the variable or file that is missing, never the value.
func (t Text) Resolve() (string, error) {
	if t.file != "" {
		return t.readFile()
	}
	var missing []string
	out := variable.ReplaceAllStringFunc(t.raw, func(m string) string {
		name := variable.FindStringSubmatch(m)[1]
		v, ok := os.LookupEnv(name)
		if !ok {
			missing = append(missing, name)
		}
		return v
	})
	if len(missing) > 0 {
		return "", fmt.Errorf("%s needs the environment variable %s, which is not set", t.key, strings.Join(missing, " and "))
	}
	return out, nil
}

func (t Text) readFile() (string, error) {
	path := t.file
	if !filepath.IsAbs(path) {
		path = filepath.Join(t.dir, path)
	}
	info, err := os.Stat(path)
	if err != nil {
		return "", fmt.Errorf("%s is kept in the file %s, which cannot be read: %w", t.key, t.file, err)
	}
	if info.Size() > maxSecretFile {
		return "", fmt.Errorf("%s is kept in the file %s, which is larger than %d KiB: is it the right file?", t.key, t.file,
			maxSecretFile>>10)
	}
	b, err := ReadPlain(path, t.file)
	if err != nil {
		return "", fmt.Errorf("%s is kept in a file: %w", t.key, err)
	}
	return strings.TrimSpace(string(b)), nil
}

// String never shows the value.
func (t Text) String() string {
	if !t.IsSet() {
		return ""
	}
	return "<" + t.key + ">"
}

// LogValue never shows the value.
func (t Text) LogValue() slog.Value { return slog.StringValue(t.String()) }

// Secret resolves a value of a rule file that may name environment variables.
func (c *Config) Secret(text string) (string, error) {
	return Text{raw: text, key: "a webhook's auth"}.Resolve()
}

// SecretFiles tells which version of the files lies there that values of culvert.yaml are kept in:
// other bytes tell that one was written anew, or went.
func (c *Config) SecretFiles() []byte { return secretFiles(c.texts()) }

// SecretFiles tells the same of the values of one server.
func (s *Server) SecretFiles() []byte { return secretFiles(s.texts()) }

// SecretFiles tells the same of the values of one connection.
func (c *Connection) SecretFiles() []byte { return secretFiles(c.texts()) }

func secretFiles(texts []Text) []byte {
	var out []byte
	for _, t := range texts {
		if t.file == "" {
			continue
		}
		path := t.file
		if !filepath.IsAbs(path) {
			path = filepath.Join(t.dir, path)
		}
		info, err := os.Stat(path)
		if err != nil {
			out = fmt.Appendf(out, "%s\x00gone\x00", path)
			continue
		}
		out = fmt.Appendf(out, "%s\x00%d\x00%d\x00%s\x00", path, info.Size(), info.ModTime().UnixNano(), changed(info))
	}
	return out
}

// texts lists all values that may come from the environment or from files.
func (c *Config) texts() []Text {
	out := []Text{c.Store, c.Listen}
	if c.Encryption != nil {
		out = append(out, *c.Encryption)
	}
	out = append(out, c.OldKeys...)
	for _, a := range []*Auth{c.WebhookAuth, c.Console} {
		if a != nil {
			out = append(out, a.texts()...)
		}
	}
	for _, u := range c.ConsoleUsers {
		out = append(out, u.Password)
	}
	if c.OIDC != nil {
		out = append(out, c.OIDC.texts()...)
	}
	for i := range c.Servers {
		out = append(out, c.Servers[i].texts()...)
	}
	for i := range c.Connections {
		out = append(out, c.Connections[i].texts()...)
	}
	if c.Tracing != nil {
		out = append(out, c.Tracing.texts()...)
	}
	if c.Notify != nil {
		out = append(out, c.Notify.texts()...)
	}
	return out
}

func (s *Server) texts() []Text {
	return []Text{s.URL, s.Proxy, s.Username, s.Password, s.Token, s.Bearer}
}

func (c *Connection) texts() []Text {
	out := []Text{c.URL, c.Username, c.Password, c.APIKey, c.Bearer}
	for _, name := range slices.Sorted(maps.Keys(c.Own)) {
		out = append(out, c.Own[name])
	}
	return out
}
