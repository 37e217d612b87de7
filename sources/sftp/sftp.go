// Package sftp takes files from folders of SFTP servers.
package sftp

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/culvert/culvert/rules/settings"
	"github.com/culvert/culvert/sources"
	"github.com/culvert/culvert/sources/remote"
)

// kind is the trigger that takes files from SFTP servers.
type kind struct{ remote.Kind }

// Kind makes the trigger that takes files from SFTP servers.
func Kind() sources.Connected {
	return kind{remote.Kind{
		Word:    "sftp",
		Doc:     "Records are the rows of files in a folder of an SFTP server: CSV, xlsx, JSON, or a zip or gzip of them.",
		Example: "sftp: {connection: partner, folder: /outgoing}",
		Folder: settings.Field{Name: "folder", Required: true, Hint: "name the folder over there, such as /outgoing/anc",
			Doc: "the folder over there; without / in front it counts from where the user is after login. Folders below it " +
				"are not looked into"},
		Settles: true, After: []string{remote.Leave, remote.Move, remote.Delete}, Dial: dial,
	}}
}

// Connection is a user of an SFTP server.
func (kind) Connection() sources.ConnectionKind {
	return sources.ConnectionKind{
		Name: "sftp", Doc: "address of an SFTP server", Example: "sftp://files.example.org:22",
		Keys: []settings.Field{
			{Name: "username", LeftOut: "needed", Doc: "user name"},
			{Name: "password", Type: settings.Secret, LeftOut: "private_key is needed",
				Doc: "password, as ${NAME} or {file: path}"},
			{Name: "private_key", Type: settings.Secret, LeftOut: "password is needed",
				Doc: "private key in the format of OpenSSH or PEM, best as {file: path}"},
			{Name: "passphrase", Type: settings.Secret, LeftOut: "the key has none",
				Doc: "what the private key is locked with, as ${NAME} or {file: path}"},
			{Name: "host_key", LeftOut: "known_hosts is needed",
				Doc: "the key by which the server is known: `ssh-ed25519 AAAA...`, or its fingerprint `SHA256:...`, as the " +
					"server's administrators say it, not as the server says it"},
			{Name: "known_hosts", LeftOut: "host_key is needed",
				Doc: "a file of known hosts, as OpenSSH keeps them, in the project or with its whole path"},
		},
		Requires: func(has func(string) bool) (message, hint string) {
			switch {
			case !has("username") || !has("password") && !has("private_key"):
				return "cannot log in", "add username: with password: ${NAME}, or with private_key: {file: path}"
			case has("host_key") == has("known_hosts"):
				return "must say in one way by which key the server is known",
					"add host_key: \"ssh-ed25519 AAAA...\", or \"SHA256:...\", as its administrators say it; or known_hosts: path"
			}
			return "", ""
		},
	}
}

// Ping logs in.
func (kind) Ping(ctx context.Context, c sources.Connection, _ *slog.Logger) error {
	s, err := connect(ctx, c)
	if err != nil {
		return err
	}
	if _, err := s.files.Getwd(); err != nil {
		_ = s.Close() // only asked
		return fmt.Errorf("ask %s for its folder: %w", s.host, err)
	}
	return s.Close()
}
