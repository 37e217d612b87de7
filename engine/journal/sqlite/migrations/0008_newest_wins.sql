-- What tells an older record from a newer one: the version that its source gives, and the place that it takes when it stands for an earlier record.
ALTER TABLE records ADD COLUMN version INTEGER NOT NULL DEFAULT 0;
ALTER TABLE records ADD COLUMN rank INTEGER NOT NULL DEFAULT 0;
ALTER TABLE rules ADD COLUMN superseded INTEGER NOT NULL DEFAULT 0;
ALTER TABLE outcomes ADD COLUMN superseded_by INTEGER NOT NULL DEFAULT 0;
-- Failed records by identity: a newer version of one supersedes it.
CREATE INDEX failures ON records (ident) WHERE state = 4;

-- Entries of form 1 say in which order their objects were written, see digests.go. Sets of fields, by number, that such entries speak of.
ALTER TABLE digest_log ADD COLUMN form INTEGER NOT NULL DEFAULT 0;
CREATE TABLE shapes (server TEXT NOT NULL, fields TEXT NOT NULL, number INTEGER NOT NULL, PRIMARY KEY (server, fields)) WITHOUT ROWID;
CREATE UNIQUE INDEX shape_numbers ON shapes (server, number);
