-- Pending records that wait for what they hang on (flag 8): they let records of other rules pass.
CREATE INDEX waiters ON records (chain, seq) WHERE flags & 8 <> 0;

-- How many of a finished file's delivered and skipped rows stood as records of their own, and are counted there, too.
ALTER TABLE files ADD COLUMN records_delivered bigint NOT NULL DEFAULT 0;
ALTER TABLE files ADD COLUMN records_skipped bigint NOT NULL DEFAULT 0;
UPDATE files SET records_delivered = (SELECT count(*) FROM records WHERE file = files.id AND state = 1),
  records_skipped = (SELECT count(*) FROM records WHERE file = files.id AND state IN (3, 5)) WHERE finished > 0;
