-- Rows of files that came to another end after they had been recorded, until the results of their files say so. touched: when that state was reached.
CREATE TABLE row_changes (seq bigint PRIMARY KEY, touched bigint NOT NULL);
CREATE FUNCTION note_row_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'DELETE' THEN
    EXECUTE format('DELETE FROM %I.row_changes WHERE seq = $1', TG_TABLE_SCHEMA) USING OLD.seq;
  ELSIF NEW.state NOT IN (0, 2) THEN
    EXECUTE format('INSERT INTO %I.row_changes (seq, touched) VALUES ($1, $2) ON CONFLICT (seq) DO UPDATE SET touched = excluded.touched', TG_TABLE_SCHEMA)
      USING NEW.seq, NEW.touched;
  END IF;
  RETURN NULL;
END $$;
CREATE TRIGGER row_changed AFTER UPDATE OF state ON records FOR EACH ROW WHEN (NEW.file IS NOT NULL) EXECUTE FUNCTION note_row_change();
CREATE TRIGGER row_gone AFTER DELETE ON records FOR EACH ROW WHEN (OLD.file IS NOT NULL) EXECUTE FUNCTION note_row_change();
