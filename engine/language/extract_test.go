package language

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/net/html"
)

// root is the top of the repository, from this package.
const root = "../.."

// rooms are where texts are made that people read: what waits, what failed and why, what is wrong in a project, and what to
// do. What keys and commands are for is among the descriptions; the reference and what only goes to the log are in English.
var rooms = []string{
	"rules", "schemas", "sources", "lookups", "actions",
	"engine/access", "engine/backup", "engine/console", "engine/controls", "engine/convert", "engine/demo",
	"engine/dispatch", "engine/doctor", "engine/fileimport", "engine/intake", "engine/lsp", "engine/notify",
	"engine/program", "engine/project", "engine/queue", "engine/rehearsal", "engine/scaffold", "engine/service",
	"engine/status", "engine/studio", "engine/supervise", "engine/work",
	"cmd/culvert",
	// what the journal says of its store; the rest of it is statements of SQL, and what only the log tells
	"engine/journal/errors.go", "engine/journal/open", "engine/journal/postgres/failure.go",
	"engine/journal/postgres/transfer.go", "engine/journal/sqlite/failure.go", "engine/journal/sqlite/backup.go",
	"engine/journal/sqlite/transfer.go", "engine/journal/sqlite/runnerlock.go", "engine/journal/internal/codec/seal.go",
	"engine/journal/internal/codec/names.go",
}

// apart are folders below those rooms whose texts nobody reads in another language: the practice server speaks as DHIS2
// does, and the others are for developers.
var apart = []string{
	"sandbox",
	"conformance",
	"explain",
	"examples",
	"sourcetest",
	"lookupstest",
	"remotetest",
	"sftptest",
	"s3test",
	"tabulartest",
	"oidctest",
	"testdata",
	"static",
	"synonyms.go",
	"help.go", // its words are among the descriptions, as all that help says
}

// mute are calls whose texts go to the log or to a machine.
var mute = []string{
	"Debug", "Info", "Warn", "Error", "DebugContext", "InfoContext", "WarnContext", "ErrorContext", "With", "Log",
	"MustCompile", "HasPrefix", "HasSuffix", "Contains", "ContainsAny", "Exec", "Query", "QueryRow", "panic", "causef",
	"ContainsRune", "StringVar", "BoolVar", "IntVar", "DurationVar", "StringSliceVar",
	"StringArrayVar", "Int64Var", "VarP",
}

// described are the fields of declarations from which the reference and the editor's help come.
var described = []string{"Use", "Short", "Long", "Doc", "LeftOut", "Example", "Summary", "Help"}

// more are texts that are put together from words, so that no literal of the code has them whole.
var more = []string{
	"enrollment", "event", "relationship", "wrote",
	"%s, mandatory", "%q is another word for it", "%d field", "%d fields",

	"%s of %s: %s", "the %s folder of rule %s does not work: %s",
	"when", "who", "did", "what", "why", ", by %s",
	"pending", "delivered", "held", "skipped", "failed", "dismissed", "superseded", "%d second", "%d seconds",
	"%d minute", "%d minutes", "%d hour", "%d hours", "%d day", "%d days", "%s ago", "%d record",
	"%d records", "program", "group",
	"%d row", "%d rows", "%d rule", "%d rules", "%d file", "%d files", "rule", "waiting", "oldest waiting",
	"last received", "look", "fix", "since", "example", "cause", "value", "column", "state", "key", "tries",
	"content", "also", "never", "all", "none", "overview", "failures", "records", "files", "rules", "servers",
	"audit", "open", "finished", "reachable", "away", "closed", "switched off", "credentials", "paused", "trying",
	"unusable", "viewer", "operator",
	"admin", "Resolved:", "The last day:", "In the last hour %s came in and %s went out",
	"In the last day %s came in and %s went out",
	"In the last week %s came in and %s went out", "In the last month %s came in and %s went out", "%d error", "%d errors",
	"%d warning", "%d warnings", "%d item", "%d items", "%d option", "%d options", "error",
	"warning", "%d more entry", "%d more entries", "%d more value map", "%d more value maps",
	"%d org unit", "%d org units", "%d program", "%d programs", "%d tracked entity attribute",
	"%d tracked entity attributes", "%d data set", "%d data sets", "%d data element", "%d data elements",
	"%d option set", "%d option sets",
	"Place", "help", "next:", "in %d file", "in %d files", "%d failure", "%d failures", "%d name",
	"%d names", "%d test", "%d tests", "%d write", "%d writes", "%d change", "%d changes",
	"left out", "(blank)", "a lookup", "a value map", "an action", "a result",
	// what a sync says that has changed
	"category %s", "category combo %s", "category option %s", "category option combo %s", "metadata attribute %s",
	"level %s", "option %s", "option set %s", "org unit %s", "org unit group %s", "program rule %s",
	"program rule variable %s", "relationship type %s", "stage %s", "constant %s",
}

// extracted gives all texts of the code, with where each stands first.
func extracted(t *testing.T) map[string]string {
	t.Helper()
	found := map[string]string{}
	for _, key := range more {
		found[key] = "put together"
	}
	for _, room := range rooms {
		err := filepath.WalkDir(filepath.Join(root, room), func(p string, d fs.DirEntry, err error) error {
			switch {
			case err != nil:
				return err
			case d.IsDir() && slices.Contains(apart, d.Name()):
				return filepath.SkipDir
			case strings.HasSuffix(p, "_test.go"), slices.Contains(apart, d.Name()):
			case strings.HasSuffix(p, ".go"):
				return ofGo(p, found)
			case strings.HasSuffix(p, ".html"):
				return ofTemplate(p, found)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return found
}

// sentence tells whether a literal is something that people read: two words at least.
var sentence = regexp.MustCompile(`\p{L}{2,}[,;:]? ["(%\p{L}]|%[a-z] \p{L}{2,}|\p{L}{3,}:? %`)

// ofGo collects the texts of a source file.
func ofGo(path string, found map[string]string) error {
	set := token.NewFileSet()
	f, err := parser.ParseFile(set, path, nil, 0)
	if err != nil {
		return err
	}
	var visit func(ast.Node) bool
	visit = func(n ast.Node) bool {
		switch x := n.(type) {
		case *ast.ImportSpec:
			return false
		case *ast.Field:
			ast.Inspect(x.Type, visit)
			return false
		case *ast.RangeStmt:
			if list, ok := x.X.(*ast.CompositeLit); ok && words(list) {
				ast.Inspect(x.Body, visit) // what others say is looked through for such words
				return false
			}
		case *ast.KeyValueExpr:
			if is, ok := x.Value.(*ast.Ident); ok && is.Name == "true" {
				return false // a set of words that people write
			}
			if key, ok := x.Key.(*ast.Ident); ok && slices.Contains(described, key.Name) {
				return false
			}
		case *ast.AssignStmt:
			if to, ok := x.Lhs[0].(*ast.SelectorExpr); ok && slices.Contains(described, to.Sel.Name) {
				return false
			}
		case *ast.CallExpr:
			if slices.Contains(mute, called(x)) {
				return false
			}
		case *ast.BinaryExpr, *ast.BasicLit:
			text, literal := format(n.(ast.Expr))
			if literal && commented.MatchString(path) && strings.Contains(text, "# ") {
				for line := range strings.SplitSeq(text, "\n") {
					for _, comment := range commentsOf(line)[1:] {
						keep(found, comment, set.Position(n.Pos()).String())
					}
				}
			} else if literal {
				keep(found, text, set.Position(n.Pos()).String())
			}
			return !literal
		}
		return true
	}
	ast.Inspect(f, visit)
	return nil
}

// words tells whether a list is one of texts alone.
func words(list *ast.CompositeLit) bool {
	of, ok := list.Type.(*ast.ArrayType)
	if !ok {
		return false
	}
	kind, ok := of.Elt.(*ast.Ident)
	return ok && kind.Name == "string"
}

func called(x *ast.CallExpr) string {
	switch f := x.Fun.(type) {
	case *ast.SelectorExpr:
		return f.Sel.Name
	case *ast.Ident:
		return f.Name
	}
	return ""
}

// format gives an expression as one format: literals that are joined, with %s for what is joined between them.
func format(e ast.Expr) (text string, literal bool) {
	switch x := e.(type) {
	case *ast.BasicLit:
		if x.Kind == token.STRING {
			text, err := strconv.Unquote(x.Value)
			return text, err == nil
		}
	case *ast.ParenExpr:
		return format(x.X)
	case *ast.CallExpr:
		if called(x) == "Sprintf" && len(x.Args) > 0 {
			return format(x.Args[0])
		}
	case *ast.BinaryExpr:
		if x.Op == token.ADD {
			a, first := format(x.X)
			b, second := format(x.Y)
			return a + b, first || second
		}
	}
	return "%s", false
}

// spokenAt are the rooms whose texts are whole sentences; elsewhere they are put together and end without a full stop.
var spokenAt = regexp.MustCompile(`engine/(console|notify|studio)/|cmd/`)

// commented is where files are written whose comments are said.
var commented = regexp.MustCompile(`engine/(scaffold|convert)/|cmd/culvert/init\.go`)

// notation is what a machine reads: HTML, headers of HTTP, examples within quotes.
var notation = regexp.MustCompile(`^<[a-z]|realm=|^(Bearer|ApiKey|ApiToken|Basic|GET|POST) ` +
	`|^[A-Z][a-z]+(-[A-Z][a-z]+)+[:,]|^#+ ` +
	`|^[a-zA-Z_]+\(.*[)}](\.[a-z]+)?$|^"[^"]*"( matches "[^"]*")?$|^[a-z]+/[a-z]|^event: |^[A-Z ]+$|^[dMy/ .,-]+$|^html htm ` +
	`|^(January|Monday|janeiro|segunda-feira|seg|janvier|lundi|enero|ene|lunes|lun) |^SQLite format|__system/|^GET, ` +
	`|^culvert (text|cause|fix|mend|row|correction|ligne|causa|correção|linha)$|^[Hh]:mm a$` +
	`|^(external_id|occurred_at|program|folder|in|org_unit|when_absent|on_missing|blank|direction|webhook|files|limits): ` +
	`(%s|\{.*|[a-zA-Z]+)$|^%s: \{(value|from): %s|^\{from: %s|^tests:` +
	`|^(name: rules|repos:|username: \$\{|entry: culvert|%s\\nnamespace:|\x1b|webhook_auth: \{|basic: \{|api_key: \{)|\\x1b|^NT SERVICE`)

var sql = regexp.MustCompile(`\b(SELECT|INSERT|UPDATE|DELETE|CREATE|SESSION|LIMIT|NOT NULL|ORDER BY)\b.*[A-Z%*]$` +
	`|^(SELECT|SET|WITH|TOP|FROM|LIMIT|ORDER BY|DELETE FROM|INSERT|UPDATE|PRAGMA|VACUUM|WHERE) |IS NOT NULL$| AND \(`)

// keep adds a text of the code, without the space around it.
func keep(found map[string]string, text, place string) {
	text = strings.TrimSpace(text)
	if strings.HasSuffix(text, ".") && !spokenAt.MatchString(place) {
		return // a description of a function or a metric
	}
	if !sentence.MatchString(text) || notation.MatchString(text) || sql.MatchString(text) || !recognised(text) {
		return
	}
	for line := range strings.SplitSeq(text, "\n") { // they are looked up line by line
		if line = strings.TrimSpace(line); !sentence.MatchString(line) {
			continue
		}
		if _, ok := found[line]; !ok {
			found[line] = place
		}
	}
}

// recognised tells whether a finished sentence can be told to be of the format.
func recognised(text string) bool {
	p, ok := newPattern(&entry{key: text})
	return ok || !slices.ContainsFunc(p.pieces, func(p piece) bool { return p.kind != 0 })
}

var (
	comment = regexp.MustCompile(`(?s)\{\{-?\s*/\*.*?\*/\s*-?\}\}`)
	control = regexp.MustCompile(
		`\{\{-?\s*(if|else|end|range|with|define|template|block|\$\w+ *:?=|break|continue)\b?[^}]*\}\}` +
			`|\{\{-?\s*\$\w+ *:?= [^}]*\}\}`,
	)
	value   = regexp.MustCompile(`\{\{[^}]*\}\}`)
	letters = regexp.MustCompile(`\p{L}{2,}`)
)

// ofTemplate collects the texts of a page's template: those between tags, and the attributes that are read.
func ofTemplate(path string, found map[string]string) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	const divide = "\x00"
	page := comment.ReplaceAllString(string(text), "")
	page = control.ReplaceAllString(page, divide)
	page = value.ReplaceAllString(page, "%s")
	add := func(run string) {
		for part := range strings.SplitSeq(run, divide) {
			part = strings.TrimSpace(html.UnescapeString(part))
			if !notation.MatchString(part) && letters.MatchString(strings.ReplaceAll(part, "%s", "")) && recognised(part) {
				if _, ok := found[part]; !ok {
					found[part] = path
				}
			}
		}
	}
	z := html.NewTokenizer(strings.NewReader(page))
	quiet := 0
	for {
		switch kind := z.Next(); kind {
		case html.ErrorToken:
			return nil
		case html.TextToken:
			if quiet == 0 {
				add(string(z.Raw()))
			}
		case html.StartTagToken, html.SelfClosingTagToken:
			t := z.Token()
			if kind == html.StartTagToken && !slices.Contains(voids, t.DataAtom) && (quiet > 0 || keeps(t)) {
				quiet++
			}
			for _, a := range t.Attr {
				if slices.Contains(spoken, a.Key) {
					add(a.Val)
				}
			}
		case html.EndTagToken:
			quiet = max(quiet-1, 0)
		}
	}
}
