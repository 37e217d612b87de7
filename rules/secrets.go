package rules

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/culvert/culvert/rules/diag"
	"github.com/culvert/culvert/rules/yamlnode"
)

var (
	// secretKeys hold secrets wherever they stand in a trigger.
	secretKeys = []string{"password", "passwd", "secret", "token", "bearer", "api_key", "apikey", "access_token",
		"client_secret"}
	// secretValues are the forms of well-known secrets: DHIS2 and GitHub access tokens, keys,
	// addresses and headers with credentials.
	secretValues = regexp.MustCompile(`\bd2p(at|bt)?_[A-Za-z0-9]{20,}|\bgh[pousr]_[A-Za-z0-9]{20,}|` +
		`-----BEGIN [A-Z ]*PRIVATE KEY-----|` +
		`\b[a-z][a-z0-9+.-]*://[^\s/:@"']+:[^\s/@"'${}]+@|\b(Basic|Bearer|ApiToken) [A-Za-z0-9+/_=.-]{16,}`)
	variable = regexp.MustCompile(`^\$\{[A-Za-z_][A-Za-z0-9_]*\}$`)
)

// findSecrets reports secrets that are written in a rule file. Secrets belong into culvert.yaml,
// and there only as variables.
func findSecrets(doc *yamlnode.Document, list *diag.List) {
	var walk func(n *yamlnode.Node, key string, inTrigger bool)
	walk = func(n *yamlnode.Node, key string, inTrigger bool) {
		for _, p := range n.Pairs() {
			walk(p.Value, p.Key.Value, inTrigger || p.Key.Value == "trigger")
		}
		for _, item := range n.Items() {
			walk(item, key, inTrigger)
		}
		if !isValue(n) {
			return
		}
		named := inTrigger && slices.Contains(secretKeys, strings.ToLower(key)) && !variable.MatchString(n.Value)
		if !named && !looksSecret(n.Value) {
			return
		}
		message := "a secret stands in the file, where everyone who can read the repository sees it"
		if named {
			message = fmt.Sprintf("the %s stands in the file, where everyone who can read the repository sees it", key)
		}
		list.Add(diag.Diagnostic{
			Problem: diag.Problem{Code: "secret-in-file",
				Message: message, Hint: "move it to culvert.yaml as ${NAME}, and change it, for it is known now", Place: n.Place()},
			Secret: true,
		})
	}
	walk(doc.Root, "", false)
}

// looksSecret tells whether a value has the form of a well-known secret. Most values are passed
// over without the pattern, which is slow.
func looksSecret(value string) bool {
	if len(value) < 12 || !slices.ContainsFunc(secretHints,
		func(hint string) bool { return strings.Contains(value, hint) }) {
		return false
	}
	return secretValues.MatchString(value)
}

// secretHints are parts of which every match of secretValues has one.
var secretHints = []string{"d2pat_", "d2pbt_", "d2p_", "gho_", "ghp_", "ghu_", "ghs_", "ghr_", "-----BEGIN", "://",
	"Basic ", "Bearer ", "ApiToken "}
