-- Settled records whose source wants to be told of it (flag 4) and was not yet. settled: when that state was reached; due: when to try again.
CREATE TABLE untold (seq bigint PRIMARY KEY, rule int NOT NULL, settled bigint NOT NULL, due bigint NOT NULL DEFAULT 0);
CREATE INDEX untold_due ON untold (rule, due, seq);
CREATE FUNCTION tell_of_record() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP <> 'INSERT' THEN
    EXECUTE format('DELETE FROM %I.untold WHERE seq = $1', TG_TABLE_SCHEMA) USING OLD.seq;
  END IF;
  IF TG_OP <> 'DELETE' AND NEW.state NOT IN (0, 2) THEN
    EXECUTE format('INSERT INTO %I.untold (seq, rule, settled) VALUES ($1, $2, $3)', TG_TABLE_SCHEMA) USING NEW.seq, NEW.rule, NEW.touched;
  END IF;
  RETURN NULL;
END $$;
CREATE TRIGGER tell_of_new AFTER INSERT ON records FOR EACH ROW WHEN (NEW.flags & 4 <> 0) EXECUTE FUNCTION tell_of_record();
CREATE TRIGGER tell_of_change AFTER UPDATE OF state ON records FOR EACH ROW WHEN (NEW.flags & 4 <> 0) EXECUTE FUNCTION tell_of_record();
CREATE TRIGGER tell_nothing_more AFTER DELETE ON records FOR EACH ROW WHEN (OLD.flags & 4 <> 0) EXECUTE FUNCTION tell_of_record();
