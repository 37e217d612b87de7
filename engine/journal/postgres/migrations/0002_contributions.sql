-- What records give to aggregate values: one slot at a time for each contributor. number is null for a value that is none.
CREATE TABLE contributions (
  server text NOT NULL, contributor text COLLATE "C" NOT NULL, slot text NOT NULL, value text NOT NULL, number double precision, at text COLLATE "C" NOT NULL,
  PRIMARY KEY (server, contributor)
);
CREATE INDEX contribution_slots ON contributions (server, slot, at, contributor);

-- Slots that a contributor has left and that were not sent since.
CREATE TABLE contributions_left (
  server text NOT NULL, contributor text NOT NULL, slot text NOT NULL, PRIMARY KEY (server, contributor, slot)
);
