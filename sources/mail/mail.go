// Package mail takes files that come as attachments of mails, from folders of mailboxes, by IMAP.
package mail

import (
	"context"
	"log/slog"

	"github.com/culvert/culvert/rules"
	"github.com/culvert/culvert/rules/diag"
	"github.com/culvert/culvert/rules/settings"
	"github.com/culvert/culvert/sources"
	"github.com/culvert/culvert/sources/remote"
)

const word = "mail"

// kind is the trigger that takes files from mailboxes.
type kind struct{ remote.Kind }

// Kind makes the trigger that takes files from mailboxes.
func Kind() sources.Connected {
	return kind{remote.Kind{
		Word: word,
		Doc: "Records are the rows of files that come as attachments of mails: CSV, xlsx, JSON, or a zip or gzip of them. " +
			"Only mails of the senders that the rule names are read.",
		Example: "mail: {connection: reports, from: data@district.example.org}",
		Folder: settings.Field{Name: "folder", Default: "INBOX",
			Doc: "the folder of the mailbox, with `/` before folders in folders. Those below it are not looked into"},
		Fields: []settings.Field{
			{Name: "from", Type: settings.Texts, Required: true,
				Hint: "name whose mails are read, such as [data@district.example.org, \"@health.example.org\"]; anybody can " +
					"write to a mailbox",
				Doc: "whose mails are read: addresses, `@health.example.org` for all of a domain (not of those below it), or " +
					"`anyone`"},
			{Name: "subject", LeftOut: "any",
				Doc: "what the subject of a mail must hold, without regard to case"},
			{Name: "since", LeftOut: "all that lie there", Doc: "mails that came before this day or time are left alone"},
		},
		After: []string{remote.Move, remote.Flag, remote.Leave, remote.Delete},
		Ends: []settings.Field{
			{Name: "after", Default: remote.Move, Words: []string{remote.Move, remote.Flag, remote.Leave, remote.Delete},
				Doc: "what becomes of a mail once every row of all its files has an outcome: `move` it to `done` or `failed`, " +
					"`flag` it with the keyword CulvertDone or CulvertFailed, `leave` it, `delete` it"},
			{Name: "done", LeftOut: "`done` in the folder",
				Doc: "with `after: move`, the folder for mails whose rows all have an outcome"},
			{Name: "failed", LeftOut: "`failed` in the folder",
				Doc: "with `after: move`, the folder for mails with a file of which nothing could be read"},
		},
		Read: func(c settings.Reader, r *remote.Rule) { r.Own = readFilter(c) },
	}}
}

// New makes the source of the rules that use the kind.
func (k kind) New(bound []sources.Bound, env sources.Env) (sources.Source, error) {
	k.Dial = newMemory().dial
	return k.Kind.New(bound, env)
}

// Peek reads the first rows of the newest attachment.
func (k kind) Peek(ctx context.Context, b sources.Bound, env sources.Env, limit int) ([]any, error) {
	k.Dial = newMemory().dial
	return k.Kind.Peek(ctx, b, env, limit)
}

// Connection is a mailbox.
func (kind) Connection() sources.ConnectionKind {
	return sources.ConnectionKind{
		Name: word, Example: "imaps://imap.example.org:993",
		Doc: "address of an IMAP server: imaps:// with TLS from the start, imap:// with STARTTLS",
		Keys: []settings.Field{
			{Name: "username", LeftOut: "needed", Doc: "user name, mostly the address"},
			{Name: "password", Type: settings.Secret, LeftOut: "token_url is needed",
				Doc: "password, as ${NAME} or {file: path}; where a provider has app passwords, one of those"},
			{Name: "token_url", LeftOut: "password is needed",
				Doc: "where access tokens are asked for (OAuth 2.0, sent as XOAUTH2), such as " +
					"https://login.microsoftonline.com/TENANT/oauth2/v2.0/token or https://oauth2.googleapis.com/token"},
			{Name: "client_id", LeftOut: "needed with token_url", Doc: "id of the application at the provider"},
			{Name: "client_secret", Type: settings.Secret, LeftOut: "none",
				Doc: "secret of the application, as ${NAME} or {file: path}"},
			{Name: "refresh_token", Type: settings.Secret, LeftOut: "the application logs in by itself",
				Doc: "what the owner of the mailbox gave to the application, as ${NAME} or {file: path}"},
			{Name: "scope", LeftOut: "what the provider gives",
				Doc: "what the token is for, such as https://outlook.office365.com/.default"},
			{Name: "ca_file", LeftOut: "those of the machine",
				Doc: "certificates of the authority that signed the server's, in the project or with its whole path"},
		},
		Requires: func(has func(string) bool) (message, hint string) {
			switch {
			case !has("username") || has("password") == has("token_url"):
				return "cannot log in", "add username: with password: ${NAME}, or with token_url: and client_id:"
			case has("token_url") && !has("client_id"):
				return "cannot ask for a token", "add client_id: of the application at the provider"
			}
			return "", ""
		},
	}
}

// Ping logs in, and looks whether there is an inbox.
func (kind) Ping(ctx context.Context, c sources.Connection, _ *slog.Logger) error {
	s, err := connect(ctx, c)
	if err != nil {
		return err
	}
	_, err = s.open(inbox, true)
	s.close()
	return err
}

// CheckAll reports rules that may take the same mails while one of them takes them out of the other's sight.
func (k kind) CheckAll(all []*rules.Rule, report func(diag.Diagnostic)) {
	read := func(r *rules.Rule) remote.Rule { return k.Rule(&r.Trigger, func(diag.Diagnostic) {}) }
	for i, r := range all {
		own := read(r)
		for _, other := range all[:i] {
			theirs := read(other)
			if own.Connection == "" || own.Connection != theirs.Connection ||
				nameOf(own.Folder, '/') != nameOf(theirs.Folder, '/') ||
				own.After == remote.Leave && theirs.After == remote.Leave || !overlap(own.Own, theirs.Own) {
				continue
			}
			report(diag.Diagnostic{
				Problem: diag.Problem{Code: "watched-twice",
					Message: "another rule may take the same mails, and what one does with a mail keeps the other from its files",
					Place:   r.Trigger.Place,
					Hint:    "give each rule a folder:, senders or a subject: of its own, or write after: leave in both"},
				Related: []diag.Related{{Place: other.Trigger.Place, Message: "the other rule"}},
			})
			break
		}
	}
}
