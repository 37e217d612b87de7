package main

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"regexp"
	"strings"
)

// maxEnvFile is how large a file of variables may be.
const maxEnvFile = 1 << 20

var variableName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// readEnvFiles sets the variables of files that are written as systemd's EnvironmentFile= has them.
// What the environment holds already stays.
func readEnvFiles(paths []string) error {
	for _, path := range paths {
		info, err := os.Stat(path)
		if err != nil {
			return fmt.Errorf("read the variables of --env-file: %w", err)
		}
		if info.Size() > maxEnvFile {
			return fmt.Errorf("%s has more than a megabyte: --env-file takes a file with lines of NAME=value", path)
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return fmt.Errorf("read the variables of --env-file: %w", err)
		}
		variables, err := parseEnv(path, text)
		if err != nil {
			return err
		}
		for _, v := range variables {
			if _, set := os.LookupEnv(v[0]); set {
				continue
			}
			if err := os.Setenv(v[0], v[1]); err != nil {
				return fmt.Errorf("%s: set %s: %w", path, v[0], err)
			}
		}
	}
	return nil
}

// parseEnv reads lines of NAME=value, the value bare or in quotes. An error names the line and
// never what stands on it: it may be a secret.
func parseEnv(path string, text []byte) ([][2]string, error) {
	var out [][2]string
	lines := bufio.NewScanner(bytes.NewReader(bytes.TrimPrefix(text, []byte("\xef\xbb\xbf"))))
	lines.Buffer(nil, maxEnvFile)
	for n := 1; lines.Scan(); n++ {
		line := strings.TrimSpace(lines.Text())
		if line == "" || line[0] == '#' || line[0] == ';' {
			continue
		}
		name, value, ok := strings.Cut(line, "=")
		name = strings.TrimSpace(strings.TrimPrefix(name, "export "))
		if !ok || !variableName.MatchString(name) {
			return nil, fmt.Errorf("%s:%d: this is no line of the form NAME=value", path, n)
		}
		value, ok = unquoteEnv(strings.TrimSpace(value))
		if !ok {
			return nil, fmt.Errorf("%s:%d: the quote that opens the value of %s is not closed on its line", path, n, name)
		}
		out = append(out, [2]string{name, value})
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	return out, nil
}

// unquoteEnv takes the quotes off a value. Inside double quotes a backslash keeps a quote, a
// backslash, a dollar or a backquote, as in systemd and sh.
func unquoteEnv(v string) (string, bool) {
	if v == "" || v[0] != '"' && v[0] != '\'' {
		return v, true
	}
	quote := v[0]
	var b strings.Builder
	for i := 1; i < len(v); i++ {
		switch c := v[i]; {
		case c == quote:
			return b.String(), i == len(v)-1
		case c == '\\' && quote == '"' && i+1 < len(v) && strings.IndexByte("\"\\$`", v[i+1]) >= 0:
			i++
			b.WriteByte(v[i])
		default:
			b.WriteByte(c)
		}
	}
	return "", false
}
