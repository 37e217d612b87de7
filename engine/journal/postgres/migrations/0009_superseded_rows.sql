-- Rows of files that something newer left nothing to do for, how many of them stood as records of their own, and where the results of a finished file lie.
ALTER TABLE files ADD COLUMN superseded bigint NOT NULL DEFAULT 0;
ALTER TABLE files ADD COLUMN records_superseded bigint NOT NULL DEFAULT 0;
ALTER TABLE files ADD COLUMN results text NOT NULL DEFAULT '';
