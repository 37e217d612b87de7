package sqlite

import (
	"database/sql"
	"fmt"
	"unicode/utf8"

	"github.com/culvert/culvert/engine/journal"
	"github.com/culvert/culvert/engine/journal/internal/codec"
	"github.com/culvert/culvert/engine/journal/shared"
)

// supersede lets rows of files supersede what they are newer versions of, and what they stand for.
func (s *Store) supersede(t *tx, versions []journal.Version, server string, now int64) error {
	if len(versions) == 0 {
		return nil
	}
	if any, err := t.anyFailed(); err != nil || !any {
		return err
	}
	var all []shared.Newer
	for _, v := range versions {
		if v.ID != "" {
			all = append(all, shared.Newer{Ident: s.sealer.Ident(v.Rule, v.ID), Order: v.Order, Seq: v.Seq})
		}
		if v.Fixes == 0 {
			continue
		}
		var seq int64
		var st standing
		c := shared.Corrected{Rule: v.Rule, By: v.Seq}
		err := t.queryRow("SELECT r.seq, r.id, r.version, r.rank FROM records r JOIN rules n ON n.id = r.rule "+
			"WHERE r.seq = ? AND r.state = 4 AND n.name = ? AND r.file IS ?",
			v.Fixes, v.Rule, v.File).Scan(&seq, &c.ID, &st.version, &st.rank)
		if err == sql.ErrNoRows {
			continue
		}
		if err == nil {
			err = s.setSuperseded(t, map[int64]int64{seq: v.Seq}, server, now)
		}
		if err == nil {
			c.Order = st.order(seq)
			err = s.sealer.ShowAll(&c.ID)
		}
		if err == nil {
			err = s.supersedeParts(t, c, server, now)
		}
		if err != nil {
			return fmt.Errorf("supersede what was fixed: %w", err)
		}
	}
	return s.supersedeFailed(t, all, server, now)
}

// anyFailed tells whether there is something to supersede.
func (t *tx) anyFailed() (any bool, err error) {
	if err := t.queryRow("SELECT EXISTS (SELECT 1 FROM records WHERE state = 4)").Scan(&any); err != nil {
		return false, fmt.Errorf("look for failed records: %w", err)
	}
	return any, nil
}

// supersedeFailed settles failed records of which something newer was delivered.
func (s *Store) supersedeFailed(t *tx, all []shared.Newer, server string, now int64) error {
	if len(all) == 0 {
		return nil
	}
	if any, err := t.anyFailed(); err != nil || !any {
		return err
	}
	byIdent, idents := shared.Newest(all)
	by := map[int64]int64{}
	rows, err := t.query("SELECT r.seq, r.ident, r.version, r.rank FROM json_each(?) j CROSS JOIN records r INDEXED BY "+
		"failures ON r.ident = j.value AND r.state = 4", list(idents))
	err = scan(rows, err, func(rows *sql.Rows) error {
		var seq int64
		var st standing
		err := rows.Scan(&seq, &st.ident, &st.version, &st.rank)
		if n := byIdent[st.ident]; n.Supersedes(st.order(seq), seq) {
			by[seq] = n.Seq
		}
		return err
	})
	if err == nil && len(by) > 0 {
		err = s.setSuperseded(t, by, server, now)
	}
	if err != nil {
		return fmt.Errorf("supersede older versions: %w", err)
	}
	return nil
}

// supersedeParts settles what failed of a corrected record at further places of its rule.
func (s *Store) supersedeParts(t *tx, c shared.Corrected, server string, now int64) error {
	prefix := shared.PartsPrefix(c.Rule)
	var parts []string
	rows, err := t.query("SELECT name FROM rules WHERE substr(name, 1, ?) = ?", utf8.RuneCountInString(prefix), prefix)
	err = scan(rows, err, func(rows *sql.Rows) error {
		var name string
		err := rows.Scan(&name)
		parts = append(parts, name)
		return err
	})
	if err != nil || len(parts) == 0 {
		return err
	}
	by := map[int64]int64{}
	rows, err = t.query("SELECT r.seq, r.version, r.rank FROM json_each(?) j CROSS JOIN records r INDEXED BY failures ON "+
		"r.ident = j.value AND r.state = 4", list(c.Idents(s.sealer, parts)))
	err = scan(rows, err, func(rows *sql.Rows) error {
		var seq int64
		var st standing
		err := rows.Scan(&seq, &st.version, &st.rank)
		if c.Concerns(st.order(seq), seq) {
			by[seq] = c.By
		}
		return err
	})
	if err == nil && len(by) > 0 {
		err = s.setSuperseded(t, by, server, now)
	}
	return err
}

// setSuperseded settles failed records for good: each by the record or row at a place.
func (s *Store) setSuperseded(t *tx, by map[int64]int64, server string, now int64) error {
	seqs := make([]int64, 0, len(by))
	for seq := range by {
		seqs = append(seqs, seq)
	}
	before, err := t.standing(seqs)
	if err != nil {
		return err
	}
	for seq, newer := range by {
		if err := t.exec("UPDATE records SET state = ?, touched = ? WHERE seq = ?", codec.Superseded, now, seq); err != nil {
			return err
		}
		if err := t.exec("INSERT INTO outcomes (seq, superseded_by) VALUES (?, ?) ON CONFLICT (seq) DO UPDATE SET "+
			"superseded_by = excluded.superseded_by",
			seq, newer); err != nil {
			return err
		}
		t.moved(before[seq].rule, before[seq].state, codec.Superseded, 1)
		t.figures.Of(before[seq].rule, server).Superseded++
	}
	return nil
}
