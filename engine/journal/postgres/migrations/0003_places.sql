-- The places in the order of acceptance that a file took when it was accepted: its data row n stands at place + n.
ALTER TABLE files ADD COLUMN place bigint NOT NULL DEFAULT 0;
ALTER TABLE files ADD COLUMN places bigint NOT NULL DEFAULT 0;
