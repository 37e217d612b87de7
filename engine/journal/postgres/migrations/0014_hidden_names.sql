-- With a key, ids, keys, external ids, the audit trail, contributors and named values are hidden, and ident, chain and terms are keyed hashes, once
-- "journal.key" says so: an earlier program would take what is hidden for the texts themselves.

-- A newer version of a record passes the one that waits for its parent: what comes next under such keys is told anew.
UPDATE keys k SET seq = h.seq, rule = h.rule, due = h.next_try, state = h.state
  FROM (SELECT DISTINCT chain FROM records WHERE flags & 8 <> 0) u,
  LATERAL (SELECT seq, rule, next_try, state FROM records r WHERE r.chain = u.chain AND r.state IN (0, 2)
    ORDER BY CASE WHEN r.flags & 8 <> 0 THEN 1 WHEN EXISTS (SELECT 1 FROM records w WHERE w.flags & 8 <> 0
    AND w.chain = r.chain AND w.rule = r.rule AND w.ident <> r.ident AND w.seq < r.seq) THEN 2 ELSE 0 END,
    CASE WHEN r.flags & 8 <> 0 THEN r.state END, CASE WHEN r.flags & 8 <> 0 THEN r.next_try END, r.seq LIMIT 1) h
  WHERE k.chain = u.chain;
