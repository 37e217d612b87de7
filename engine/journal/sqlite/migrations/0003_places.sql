-- The places in the order of acceptance that a file took when it was accepted: its data row n stands at place + n.
ALTER TABLE files ADD COLUMN place INTEGER NOT NULL DEFAULT 0;
ALTER TABLE files ADD COLUMN places INTEGER NOT NULL DEFAULT 0;
