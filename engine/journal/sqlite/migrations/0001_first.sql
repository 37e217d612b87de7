-- Small named values: cursors, pauses, the project's name; our own begin with "journal.".
CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;

-- One row per rule, with how many of its records are in each state, kept up to date by every change.
CREATE TABLE rules (
  id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE,
  pending INTEGER NOT NULL DEFAULT 0, delivered INTEGER NOT NULL DEFAULT 0, held INTEGER NOT NULL DEFAULT 0,
  skipped INTEGER NOT NULL DEFAULT 0, failed INTEGER NOT NULL DEFAULT 0, dismissed INTEGER NOT NULL DEFAULT 0,
  last_received INTEGER NOT NULL DEFAULT 0, last_delivered INTEGER NOT NULL DEFAULT 0
);

-- Rows are written once and then change only in columns of equal width, so that settling a record never moves others.
-- head: no earlier record of its key is pending or held. touched: when the state was reached. ident, chain: hashes of identity and key.
CREATE TABLE records (
  seq INTEGER PRIMARY KEY, state INTEGER NOT NULL, head INTEGER NOT NULL, next_try INTEGER NOT NULL, attempts INTEGER NOT NULL,
  flags INTEGER NOT NULL, touched INTEGER NOT NULL, received INTEGER NOT NULL, rule INTEGER NOT NULL, ident INTEGER NOT NULL,
  chain INTEGER NOT NULL, content INTEGER NOT NULL, id TEXT NOT NULL, key TEXT NOT NULL, file TEXT, place INTEGER, origin BLOB
);
-- What to do next, and lists by state: heads of pending records by rule and due time come in order of seq.
CREATE INDEX work ON records (state, head, rule, next_try);
CREATE INDEX record_files ON records (file, place) WHERE file IS NOT NULL;

CREATE TABLE payloads (seq INTEGER PRIMARY KEY, body BLOB NOT NULL);

CREATE TABLE outcomes (
  seq INTEGER PRIMARY KEY, class TEXT, code TEXT, cause TEXT, mend TEXT, object TEXT, field TEXT, place TEXT, private BLOB, objects TEXT
);

-- Finds records by identity or key. Filled in bulk, in order of hash, behind the records (see finder.go); what is above the
-- seq in meta "journal.found" is not in here yet. Entries of settled records may be stale.
CREATE TABLE finder (hash INTEGER NOT NULL, seq INTEGER NOT NULL, PRIMARY KEY (hash, seq)) WITHOUT ROWID;

-- Fingerprints of delivered objects (see digests.go): pages hold them sorted, the log holds the latest until they are merged.
CREATE TABLE digest_log (id INTEGER PRIMARY KEY, entries BLOB NOT NULL);
CREATE TABLE digest_pages (first INTEGER PRIMARY KEY, entries BLOB NOT NULL);

CREATE TABLE identities (
  server TEXT NOT NULL, type TEXT NOT NULL, external_id TEXT NOT NULL, uid TEXT NOT NULL, generation INTEGER NOT NULL, origin TEXT NOT NULL,
  PRIMARY KEY (server, type, external_id)
) WITHOUT ROWID;
CREATE INDEX identity_people ON identities (external_id);

CREATE TABLE files (
  id TEXT PRIMARY KEY, rule TEXT NOT NULL, path TEXT NOT NULL, name TEXT NOT NULL, folder TEXT NOT NULL, size INTEGER NOT NULL,
  sha256 TEXT NOT NULL, received INTEGER NOT NULL, state TEXT NOT NULL, next INTEGER NOT NULL, offset INTEGER NOT NULL, rows INTEGER NOT NULL,
  delivered INTEGER NOT NULL, unchanged INTEGER NOT NULL, skipped INTEGER NOT NULL, failed INTEGER NOT NULL, owner TEXT NOT NULL,
  finished INTEGER NOT NULL
) WITHOUT ROWID;
CREATE UNIQUE INDEX file_contents ON files (rule, sha256);
CREATE INDEX file_states ON files (state);

CREATE TABLE audit (
  id INTEGER PRIMARY KEY, at INTEGER NOT NULL, who TEXT NOT NULL, did TEXT NOT NULL, why TEXT NOT NULL, count INTEGER NOT NULL, subject TEXT NOT NULL
);
