CREATE TABLE meta (name text PRIMARY KEY, value text NOT NULL);
CREATE TABLE rules (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text NOT NULL UNIQUE);

-- How many records of a rule are in a state. Every connection counts in a slot of its own, so that no two wait for each other; the state -1 holds when
-- the last record was received.
CREATE TABLE counts (rule int, state smallint, slot smallint, n bigint NOT NULL, last bigint NOT NULL, PRIMARY KEY (rule, state, slot));

CREATE SEQUENCE record_seq;
CREATE TABLE records (
  seq bigint PRIMARY KEY, state smallint NOT NULL, attempts int NOT NULL, flags smallint NOT NULL, rule int NOT NULL, ident bigint NOT NULL,
  chain bigint NOT NULL, content bigint NOT NULL, next_try bigint NOT NULL, touched bigint NOT NULL, received bigint NOT NULL,
  id text NOT NULL, key text NOT NULL, file text, row int, origin bytea
);
CREATE INDEX record_idents ON records (ident, seq);
CREATE INDEX record_queues ON records (chain, seq) WHERE state IN (0, 2);
CREATE INDEX records_open ON records (rule, seq) WHERE state IN (0, 2);
CREATE INDEX records_failed ON records (rule, seq) WHERE state = 4;
CREATE INDEX records_settled ON records (state, touched) WHERE state NOT IN (0, 2);
CREATE INDEX record_files ON records (file, row) WHERE file IS NOT NULL;

CREATE TABLE payloads (seq bigint PRIMARY KEY, body bytea NOT NULL);
CREATE TABLE outcomes (
  seq bigint PRIMARY KEY, class text, code text, cause text, mend text, object text, field text, place text, private bytea, objects text
);

-- One row per key that has unsettled records or is in flight: its first unsettled record, and who has it in flight. Locking the row is what
-- puts changes of one key in order.
CREATE TABLE keys (
  chain bigint PRIMARY KEY, seq bigint, rule int, due bigint, state smallint, owner text, claimed bigint
);
CREATE INDEX keys_ready ON keys (rule, due, seq) WHERE owner IS NULL AND state = 0;
CREATE INDEX keys_first ON keys (rule, seq) WHERE state = 0;
CREATE INDEX keys_owned ON keys (owner, claimed) WHERE owner IS NOT NULL;

CREATE TABLE owners (owner text PRIMARY KEY, seen timestamptz NOT NULL);
CREATE TABLE leader (one bool PRIMARY KEY DEFAULT true CHECK (one), owner text NOT NULL, pid int NOT NULL);

CREATE TABLE digests (object bigint PRIMARY KEY, sum int NOT NULL);
CREATE TABLE identities (
  server text NOT NULL, type text NOT NULL, external_id text NOT NULL, uid text NOT NULL, generation int NOT NULL, origin text NOT NULL,
  PRIMARY KEY (server, type, external_id)
);
CREATE INDEX identity_people ON identities (external_id);

CREATE TABLE files (
  id text PRIMARY KEY, rule text NOT NULL, path text NOT NULL, name text NOT NULL, folder text NOT NULL, size bigint NOT NULL, sha256 text NOT NULL,
  received bigint NOT NULL, state text NOT NULL, next bigint NOT NULL, "offset" bigint NOT NULL, rows bigint NOT NULL, delivered bigint NOT NULL,
  unchanged bigint NOT NULL, skipped bigint NOT NULL, failed bigint NOT NULL, owner text NOT NULL, finished bigint NOT NULL, UNIQUE (rule, sha256)
);
CREATE INDEX file_states ON files (state);

CREATE TABLE audit (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, at bigint NOT NULL, who text NOT NULL, did text NOT NULL, why text NOT NULL, count bigint NOT NULL,
  subject text NOT NULL
);
