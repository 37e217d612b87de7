-- What records give to aggregate values: one slot at a time for each contributor. number is null for a value that is none.
CREATE TABLE contributions (
  server TEXT NOT NULL, contributor TEXT NOT NULL, slot TEXT NOT NULL, value TEXT NOT NULL, number REAL, at TEXT NOT NULL,
  PRIMARY KEY (server, contributor)
) WITHOUT ROWID;
CREATE INDEX contribution_slots ON contributions (server, slot, at, contributor);

-- Slots that a contributor has left and that were not sent since.
CREATE TABLE contributions_left (
  server TEXT NOT NULL, contributor TEXT NOT NULL, slot TEXT NOT NULL, PRIMARY KEY (server, contributor, slot)
) WITHOUT ROWID;
