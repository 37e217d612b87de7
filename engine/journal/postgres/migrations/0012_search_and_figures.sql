-- What became of records in a minute, hour or day (width, in minutes; start, in minutes since 1970), for the rule and the server of the delivery. Every
-- connection counts in a slot of its own, as in counts.
CREATE TABLE figures (
  width int NOT NULL, start bigint NOT NULL, rule int NOT NULL, server text NOT NULL, slot smallint NOT NULL, received bigint NOT NULL, delivered bigint NOT NULL,
  failed bigint NOT NULL, skipped bigint NOT NULL, superseded bigint NOT NULL, lag_sum bigint NOT NULL, lag_max bigint NOT NULL,
  PRIMARY KEY (width, start, rule, server, slot)
);

-- Finds records by hashes of their ids, keys and objects.
CREATE TABLE terms (hash bigint NOT NULL, seq bigint NOT NULL, PRIMARY KEY (hash, seq));

-- Of a failed record: the hash of its rule and of why it failed. Failures are grouped and listed by it.
ALTER TABLE records ADD COLUMN cause bigint NOT NULL DEFAULT 0;
CREATE INDEX failed_causes ON records (cause, seq) INCLUDE (touched) WHERE state = 4;

-- Lists by state and rule in order of acceptance; it serves what three indexes of some states did.
CREATE INDEX record_states ON records (state, rule, seq);
DROP INDEX records_failed;
DROP INDEX records_settled;
DROP INDEX records_open;
