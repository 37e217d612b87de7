-- What is to be done about a problem is called its hint everywhere.
ALTER TABLE outcomes RENAME COLUMN mend TO hint;
