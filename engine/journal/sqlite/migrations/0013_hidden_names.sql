-- With a key, ids, keys, external ids, the audit trail, contributors and named values are hidden, and ident, chain and terms are keyed hashes, once
-- "journal.key" says so: an earlier program would take what is hidden for the texts themselves.

-- A newer version of a record passes the one that waits for its parent: what comes next under such keys is told anew.
UPDATE records SET head = 0 WHERE head <> 0 AND chain IN (SELECT chain FROM records WHERE flags & 8);
UPDATE records SET head = 1 WHERE seq IN (SELECT seq FROM (SELECT r.seq, row_number() OVER (PARTITION BY r.chain
  ORDER BY CASE WHEN r.flags & 8 THEN 1 WHEN EXISTS (SELECT 1 FROM records w WHERE w.flags & 8 AND w.chain = r.chain
  AND w.rule = r.rule AND w.ident <> r.ident AND w.seq < r.seq) THEN 2 ELSE 0 END,
  CASE WHEN r.flags & 8 THEN r.state END, CASE WHEN r.flags & 8 THEN r.next_try END, r.seq) AS place
  FROM records r WHERE r.state IN (0, 2) AND r.chain IN (SELECT chain FROM records WHERE flags & 8)) WHERE place = 1);
