-- What became of records in a minute, hour or day (width, in minutes; start, in minutes since 1970), for the rule and the server of the delivery.
CREATE TABLE figures (
  width INTEGER NOT NULL, start INTEGER NOT NULL, rule INTEGER NOT NULL, server TEXT NOT NULL, received INTEGER NOT NULL, delivered INTEGER NOT NULL,
  failed INTEGER NOT NULL, skipped INTEGER NOT NULL, superseded INTEGER NOT NULL, lag_sum INTEGER NOT NULL, lag_max INTEGER NOT NULL,
  PRIMARY KEY (width, start, rule, server)
) WITHOUT ROWID;

-- Finds records by hashes of their ids, keys and objects. Filled in bulk, in order of hash, from the log, which holds the latest (see terms.go).
CREATE TABLE terms (hash INTEGER NOT NULL, seq INTEGER NOT NULL, PRIMARY KEY (hash, seq)) WITHOUT ROWID;
CREATE TABLE term_log (id INTEGER PRIMARY KEY, entries BLOB NOT NULL);

-- Of a failed record: the hash of its rule and of why it failed. Failures are grouped and listed by it.
ALTER TABLE records ADD COLUMN cause INTEGER NOT NULL DEFAULT 0;
CREATE INDEX failed_causes ON records (cause, seq, touched) WHERE state = 4;
