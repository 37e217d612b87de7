-- What tells an older record from a newer one: the version that its source gives, and the place that it takes when it stands for an earlier record.
ALTER TABLE records ADD COLUMN version bigint NOT NULL DEFAULT 0;
ALTER TABLE records ADD COLUMN rank bigint NOT NULL DEFAULT 0;
ALTER TABLE outcomes ADD COLUMN superseded_by bigint NOT NULL DEFAULT 0;
-- Failed records by identity: a newer version of one supersedes it.
CREATE INDEX record_failures ON records (ident) WHERE state = 4;

-- In which order objects were written, and which of their fields.
ALTER TABLE digests ADD COLUMN version bigint NOT NULL DEFAULT 0;
ALTER TABLE digests ADD COLUMN seq bigint NOT NULL DEFAULT 0;
ALTER TABLE digests ADD COLUMN mark smallint NOT NULL DEFAULT 0;
CREATE TABLE shapes (server text NOT NULL, fields text NOT NULL, number int NOT NULL, PRIMARY KEY (server, fields), UNIQUE (server, number));
