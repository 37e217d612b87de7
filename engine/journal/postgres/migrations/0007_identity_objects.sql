-- Which external ids stand for a person, for whom match_by finds.
CREATE INDEX identity_objects ON identities (uid);
