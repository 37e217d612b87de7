-- Settled records whose source wants to be told of it (flag 4) and was not yet. settled: when that state was reached; due: when to try again.
CREATE TABLE untold (seq INTEGER PRIMARY KEY, rule INTEGER NOT NULL, settled INTEGER NOT NULL, due INTEGER NOT NULL DEFAULT 0);
CREATE INDEX untold_due ON untold (rule, due, seq);
CREATE TRIGGER tell_of_new AFTER INSERT ON records WHEN NEW.flags & 4 AND NEW.state NOT IN (0, 2) BEGIN
  INSERT INTO untold (seq, rule, settled) VALUES (NEW.seq, NEW.rule, NEW.touched);
END;
CREATE TRIGGER tell_of_change AFTER UPDATE OF state ON records WHEN NEW.flags & 4 BEGIN
  DELETE FROM untold WHERE seq = NEW.seq;
  INSERT INTO untold (seq, rule, settled) SELECT NEW.seq, NEW.rule, NEW.touched WHERE NEW.state NOT IN (0, 2);
END;
CREATE TRIGGER tell_nothing_more AFTER DELETE ON records WHEN OLD.flags & 4 BEGIN
  DELETE FROM untold WHERE seq = OLD.seq;
END;
