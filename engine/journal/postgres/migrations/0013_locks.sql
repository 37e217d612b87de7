-- Objects that are being written and people that are being looked for or created, by hashes of
-- their names: no two runners do that at once. What a crash of the server takes with it here, nobody
-- has in flight any more.
CREATE UNLOGGED TABLE locks (name bigint PRIMARY KEY, owner text NOT NULL, since timestamptz NOT NULL);
