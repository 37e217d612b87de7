package engine

import (
	"sync"
	"time"

	"github.com/culvert/culvert/engine/journal"
	"github.com/culvert/culvert/engine/program"
)

// unreadFiles are accepted files of which nothing, or not all that fits into memory, has been read yet. Records that were accepted after one of them
// and go to the same server wait that long: they may be of the same people.
type unreadFiles struct {
	mu    sync.Mutex
	files map[*unreadFile]struct{}
}

type unreadFile struct {
	id, server string
	since      time.Time
	place      int64 // before its rows in the order of acceptance; 0 until the journal knows the file
	added      bool  // the journal knows it
	waited     bool  // a record waits for it
}

// expect notes a file that is about to be accepted.
func (u *unreadFiles) expect(id, server string, now time.Time) *unreadFile {
	f := &unreadFile{id: id, server: server, since: now}
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.files == nil {
		u.files = map[*unreadFile]struct{}{}
	}
	u.files[f] = struct{}{}
	return f
}

// accepted notes that the journal knows the file. Until then every record had to wait for it, also those that turn out to stand before it: who waits is
// found out anew.
func (u *unreadFiles) accepted(f *unreadFile, place int64) {
	u.mu.Lock()
	defer u.mu.Unlock()
	f.place, f.added, f.waited = place, true, false
}

func (u *unreadFiles) forget(f *unreadFile) {
	u.mu.Lock()
	defer u.mu.Unlock()
	delete(u.files, f)
}

// known gives the files that the journal knows.
func (u *unreadFiles) known() (files []*unreadFile) {
	u.mu.Lock()
	defer u.mu.Unlock()
	for f := range u.files {
		if f.added {
			files = append(files, f)
		}
	}
	return files
}

// awaited tells whether a record for the server waits for a file; those behind it need not be asked for.
func (u *unreadFiles) awaited(server string) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	for f := range u.files {
		if f.waited && f.server == server {
			return true
		}
	}
	return false
}

// mustWait tells whether a record for the server was accepted after a file that is not read.
func (u *unreadFiles) mustWait(server string, seq int64) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	for f := range u.files {
		if f.server == server && f.place < seq {
			f.waited = true
			return true
		}
	}
	return false
}

// withhold gives back those of claimed records that must wait for a file to be read, and gives the others.
func (f *feeder) withhold(prog *program.Program, records []*journal.Record) (kept []*journal.Record, err error) {
	var seqs []int64
	for _, rec := range records {
		if flow := prog.Flow(rec.Rule); flow != nil && f.r.files.unread.mustWait(flow.Server, rec.Seq) {
			seqs = append(seqs, rec.Seq)
		} else {
			kept = append(kept, rec)
		}
	}
	if len(seqs) == 0 {
		return records, nil
	}
	if err := f.r.returnClaims(seqs); err != nil {
		return nil, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, seq := range seqs {
		f.forget(seq)
	}
	return kept, nil
}

// noteRead lets records go that waited for files which look has started: those that were read to their end or to what fits into memory, and those
// whose turn has not come, which can take long.
func (m *fileManager) noteRead(files []*unreadFile) {
	gone := false
	for _, f := range files {
		m.mu.Lock()
		run := m.runs[f.id]
		m.mu.Unlock()
		reading := run != nil && !run.isRead() && !run.filled.Load()
		late := m.r.now().Sub(f.since) > startLimit
		if reading && !late {
			continue
		}
		if reading {
			m.r.log.Warn("a file is slow to read; records are sent without waiting for it any longer", "rule", run.source.Rule, "file", run.source.Name, "waited", startLimit)
		}
		m.unread.forget(f)
		gone = true
	}
	if gone {
		m.r.feed.poke()
	}
}
