-- Values of contributions begin with how they are kept: = in clear, enc: sealed. Contributors no longer tell which record they are; see migrate.go.
UPDATE contributions SET value = '=' || value;
