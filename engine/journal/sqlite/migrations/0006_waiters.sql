-- Pending records that wait for what they hang on (flag 8): they let records of other rules pass.
CREATE INDEX waiters ON records (chain, seq) WHERE flags & 8;
