-- Rows of files that came to another end after they had been recorded, until the results of their files say so. touched: when that state was reached.
CREATE TABLE row_changes (seq INTEGER PRIMARY KEY, touched INTEGER NOT NULL);
CREATE TRIGGER row_changed AFTER UPDATE OF state ON records WHEN NEW.file IS NOT NULL AND NEW.state NOT IN (0, 2) BEGIN
  INSERT OR REPLACE INTO row_changes (seq, touched) VALUES (NEW.seq, NEW.touched);
END;
CREATE TRIGGER row_gone AFTER DELETE ON records WHEN OLD.file IS NOT NULL BEGIN
  DELETE FROM row_changes WHERE seq = OLD.seq;
END;
