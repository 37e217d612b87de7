package shared

// ReleaseContent is the statement that lets the content of a file come again for its rule under
// another id when nothing came of it: it was refused as a whole, or each of its rows failed, as
// when the rule was wrong. The file stays known under its own id. The parameters are the rule, the
// content's sum and the id of the file that comes.
func ReleaseContent(rule, sum, id string) string {
	return "UPDATE files SET sha256 = sha256 || '-' || id WHERE rule = " + rule + " AND sha256 = " + sum +
		" AND id <> " + id + " AND state = 'finished' AND failed > 0 AND failed = rows" +
		" AND delivered + unchanged + skipped + superseded + records_delivered + records_skipped + records_superseded = 0"
}
