// Package project reads what an implementer keeps in git: culvert.yaml, the rule files and the
// snapshots of metadata. It compiles rules together with their actions; validate, test, try and run
// all go through it, so that what validate passes is what run accepts.
package project

import (
	"net/netip"
	"time"

	"github.com/culvert/culvert/engine/language"
	"github.com/culvert/culvert/rules/diag"
)

// ConfigFile is the name of the project's own file.
const ConfigFile = "culvert.yaml"

// Config is culvert.yaml.
type Config struct {
	Project     string // namespace of all derived ids
	Servers     []Server
	Store       Text // sqlite:path or postgres://...
	Listen      Text
	WebhookAuth *Auth
	SyncEvery   time.Duration // 0: only by hand
	Retention   Retention
	Zone        *time.Location     // of dates without one; UTC when the file says nothing
	Language    *language.Language // of what is written for everybody; nil: English, or that of whoever started it
	Speaks      bool               // culvert.yaml names a language
	StateDir    string             // where taken files and the sandbox's and journal's files lie, relative to the project
	Encryption  *Text              // key for payloads at rest, the newest; or nil
	OldKeys     []Text             // keys that were in use before, until `culvert rekey`
	Connections []Connection       // named databases and CommCare projects that triggers use
	// one admin of the web console, by name and password; nil: none beside ConsoleUsers and those of UsersFile
	Console *Auth
	// ConsoleUsers are further users of the console; their passwords are secrets of the environment or of files.
	ConsoleUsers []ConsoleUser
	OIDC         *OIDC          // identity provider by which people log in to the console; nil: none
	Missing      []string       // words of all sources for "no answer"
	Proxies      []netip.Prefix // whose X-Forwarded-For is believed
	PublicURL    Text           // the address under which others reach the project; not set: as requests say
	Notify       *Notify        // who is told what is not well; nil: nobody
	Tracing      *Tracing       // nil: nobody is told of the parts of a record's way
	MaxBacklog   int            // accepted records that may wait before intake answers busy; 0: no limit
}

// LanguageOr gives the language that culvert.yaml names, or another where it names none.
func (c *Config) LanguageOr(other *language.Language) *language.Language {
	if c.Speaks {
		return c.Language
	}
	return other
}

// Server is one DHIS2 instance.
type Server struct {
	Name     string
	URL      Text
	Username Text
	Password Text
	Token    Text // personal access token
	Bearer   Text // OAuth2
	Default  bool
	CAFile   string
	Proxy    Text
	Limits   Limits
	Import   ImportOptions
	// Analytics says when the analytics tables are made anew after records were delivered; nil: never.
	Analytics *Analytics
	Place     diag.Place
}

// Limits are how hard a server may be worked.
type Limits struct {
	RequestsPerSecond float64
	Concurrency       int
	BatchMin          int
	BatchMax          int
	Window            string        // "18:00-06:00", empty: always
	Timeout           time.Duration // of one request
}

// ImportOptions trade the server's own checks for speed; off unless asked for.
type ImportOptions struct {
	SkipRuleEngine        bool
	SkipSideEffects       bool
	SkipPatternValidation bool
	Async                 bool
}

// Analytics says when the analytics tables of a server are made anew.
type Analytics struct {
	After       time.Duration // once nothing was delivered for so long
	AtMostEvery time.Duration // from start to start
	LastYears   int           // how far back the data go; 0: all
}

// Retention says how long things stay in the journal; zero keeps for ever.
type Retention struct{ Payloads, Delivered, Failed time.Duration }

// Auth is how a caller shows who it is; exactly one way is set.
type Auth struct {
	Username, Password Text // basic
	Bearer             Text
	HMACSecret         Text
	HMACHeader         string // default X-Hub-Signature-256
	HMACTimestamp      string // header with the time that is part of the signature, or empty
	APIKey             Text
	APIKeyHeader       string
	None               bool // open on purpose
	Place              diag.Place
}

// ConsoleUser is somebody who may log in to the console.
type ConsoleUser struct {
	Name     string
	Password Text
	Role     string // viewer, operator or admin
}

// OIDC is an OpenID Connect provider by which people log in to the console.
type OIDC struct {
	Name         string // what people call it; empty: the host of the issuer
	Issuer       Text
	ClientID     Text
	ClientSecret Text
	RedirectURL  Text // empty: people are at this machine
	Scopes       []string
	Claim        string
	Roles        map[string][]string // values of the claim by role
	CAFile       string
}

// UsersFile is where `culvert user` keeps those who may log in to the console, in the project's state.
const UsersFile = "console-users.json"

// Connection is a named outside system: a database, a CommCare project, a web API.
type Connection struct {
	Name     string
	Kind     string // the name of its sources.ConnectionKind
	URL      Text
	Domain   string
	Username Text
	Password Text
	APIKey   Text
	Bearer   Text
	Header   string // that the API key is sent in
	// Own are the keys that only its kind has, by name.
	Own map[string]Text
	// Locations is the reference table that a sync writes the locations of a CommCare project space to; empty: none.
	Locations string
	Place     diag.Place
}

// ServerNamed gives a server by its name; an empty name gives the default one, nil when there is none.
func (c *Config) ServerNamed(name string) *Server {
	for i := range c.Servers {
		s := &c.Servers[i]
		if name != "" && s.Name == name || name == "" && (s.Default || len(c.Servers) == 1) {
			return s
		}
	}
	return nil
}

// ServerNames lists the servers in the order of the file.
func (c *Config) ServerNames() []string {
	names := make([]string, 0, len(c.Servers))
	for _, s := range c.Servers {
		names = append(names, s.Name)
	}
	return names
}
