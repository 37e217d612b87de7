package mail

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/emersion/go-imap/v2"

	"github.com/culvert/culvert/sources"
	"github.com/culvert/culvert/sources/remote"
)

// message is what is known of a mail. Mails never change: it is asked for once.
type message struct {
	uid      imap.UID
	received time.Time
	key      string // names it here, also when the server numbers its mails anew
	read     bool   // it is one that the rule reads
	looked   bool   // content is known
	content
	damaged map[string]string // why parts cannot be decoded, by their numbers
}

// folder is what is known of the mails in the folder of a rule.
type folder struct {
	validity uint32 // while it is the same, so are the UIDs
	mails    map[imap.UID]*message
}

// memory is what is known of the folders of rules while a source runs: mailboxes hold much that is not taken.
type memory struct {
	mu      sync.Mutex
	folders map[string]*folder // by rule
}

func newMemory() *memory { return &memory{folders: map[string]*folder{}} }

func (m *memory) of(rule string) *folder {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.folders[rule] == nil {
		m.folders[rule] = &folder{mails: map[imap.UID]*message{}}
	}
	return m.folders[rule]
}

// dial logs in to the mailbox of a rule.
func (m *memory) dial(ctx context.Context, c sources.Connection, r *remote.Rule,
	log *slog.Logger) (remote.Place, error) {
	p := &place{connection: c, rule: r, log: log, known: m.of(r.Rule), listed: map[string]*listed{}}
	if p.filter, _ = r.Own.(*filter); p.filter == nil {
		p.filter = &filter{}
	}
	if err := p.login(ctx); err != nil {
		return nil, err
	}
	return p, nil
}
