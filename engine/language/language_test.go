package language

import (
	"bytes"
	"strings"
	"testing"
	"time"
)

const small = `
language: fr
name: français
formats: {date: 02/01/2006, moment: "02/01/2006 15:04:05", thousand: " ", decimal: ",", zero takes the singular: true}
texts:
  "waiting": en attente
  "%d record": "%d fiche"
  "%d records": {one: "%d fiche", other: "%d fiches"}
  "%s ago": il y a %s
  "%d minutes": "%d minutes"
  "the file %q has no column %q": "la colonne %[2]q manque au fichier %[1]q"
  "read %s of the server: %w": "lecture de %s du serveur : %w"
  "the server is away": le serveur ne répond pas
  "is not a date": "n'est pas une date"
  "yes and no, as words; no others": "yes et no, comme mots ; pas d'autres"
  "as words": en mots
  "%s needs %s": "%s a besoin de %s"
  "write it as %s": écrivez-le sous la forme %s
  "; %.1f records/s": "; %.1f fiches/s"
  "more than 10%% of the rows fail": plus de 10 %% des lignes échouent
`

func french(t *testing.T) *Language {
	t.Helper()
	l, err := read([]byte(small))
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func TestText(t *testing.T) {
	l := french(t)
	for _, c := range []struct{ english, want string }{
		{"waiting", "en attente"},
		{"Waiting", "En attente"},
		{"WAITING", "EN ATTENTE"},
		{"  waiting\n", "  en attente\n"},
		{"waiting.", "en attente."},
		{"0 records", "0 fiche"},
		{"1 record", "1 fiche"},
		{"12 records", "12 fiches"},
		{"3 minutes ago", "il y a 3 minutes"},
		{`the file "a.csv" has no column "of \"x\""`, `la colonne "of \"x\"" manque au fichier "a.csv"`},
		{"read the programs of the server: the server is away", "lecture de the programs du serveur : le serveur ne répond pas"},
		{`waiting: "waiting: x", the server is away`, `en attente: "waiting: x", le serveur ne répond pas`},
		{"something else: the server is away", "something else: le serveur ne répond pas"},
		{"nobody knows this", "nobody knows this"},
		{"", ""},
		{`(1) "Day: x" is not a date; (2) the server is away; (3) 2 records`,
			`(1) "Day: x" n'est pas une date; (2) le serveur ne répond pas; (3) 2 fiches`},
		{"server x: waiting; 0.5 records/s", "server x: en attente; 0.5 fiches/s"},
		{"write it as `a: b`", "écrivez-le sous la forme `a: b`"},
		{"look: waiting; the server is away", "look: en attente; le serveur ne répond pas"},
		{`"Day: x" is not a date`, `"Day: x" n'est pas une date`},
		{`2 records: "Day: x" is not a date [wrong-type]`, `2 fiches: "Day: x" n'est pas une date [wrong-type]`},
		{"  fix:   yes and no, as words; no others", "  fix:   yes et no, comme mots ; pas d'autres"},
	} {
		if got := l.Text(c.english); got != c.want {
			t.Errorf("%q: %q, want %q", c.english, got, c.want)
		}
	}
	if got := (*Language)(nil).Text("waiting"); got != "waiting" {
		t.Errorf("English: %q", got)
	}
}

func TestSprintf(t *testing.T) {
	l := french(t)
	for want, got := range map[string]string{
		"\n2 fiches":                           l.Sprintf("\n%d records", 2),
		"0 fiche":                              l.Sprintf("%d records", 0),
		`la colonne "b" manque au fichier "a"`: l.Sprintf("the file %q has no column %q", "a", "b"),
		"1 record":                             (*Language)(nil).Sprintf("%d record", 1),
	} {
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func TestPage(t *testing.T) {
	l := french(t)
	for page, want := range map[string]string{
		`<html lang="en"><p title="waiting">The server is away</p>`: `<html lang="fr"><p title="en attente">Le serveur ne répond pas</p>`,
		`<code>waiting</code> <b>waiting</b>`:                       `<code>waiting</code> <b>en attente</b>`,
		`<td translate="no"><i>waiting</i><br>waiting</td><td>waiting</td>`: "" +
			`<td translate="no"><i>waiting</i><br>waiting</td><td>en attente</td>`,
		`<p>2 records &lt;waiting&gt;</p>`:                      `<p>2 records &lt;waiting&gt;</p>`,
		`<script>waiting</script><input placeholder="waiting">`: `<script>waiting</script><input placeholder="en attente">`,
		`<pre>waiting <b>waiting</b></pre>waiting`:              `<pre>waiting <b>waiting</b></pre>en attente`,
	} {
		var b bytes.Buffer
		if err := l.Page(&b, []byte(page)); err != nil {
			t.Fatal(err)
		}
		if b.String() != want {
			t.Errorf("%s\n got %s\nwant %s", page, b.String(), want)
		}
	}
}

func TestFindAndAccept(t *testing.T) {
	for name, want := range map[string]string{"fr": "fr", "FR_cd.UTF-8": "fr", "pt-BR": "pt", "en_GB": "en", "C.UTF-8": "", "": "", "xx": ""} {
		l, ok := Find(name)
		if code := l.Code(); ok != (want != "") || ok && code != want {
			t.Errorf("%q: %q, %v; want %q", name, code, ok, want)
		}
	}
	for header, want := range map[string]string{
		"fr-CH, fr;q=0.9, en;q=0.8": "fr", "sw, pt;q=0.5, en;q=0.4": "pt", "en-GB,fr;q=0.5": "en", "sw": "", "": "",
		strings.Repeat("fr,", 200): "", "=;": "",
	} {
		l, ok := Accept(header)
		if code := l.Code(); ok != (want != "") || ok && code != want {
			t.Errorf("%.40q: %q, %v; want %q", header, code, ok, want)
		}
	}
}

func TestFormats(t *testing.T) {
	at := time.Date(2026, 3, 9, 14, 5, 6, 0, time.UTC)
	l := french(t)
	if l.Date(at) != "09/03/2026" || l.Moment(at) != "09/03/2026 14:05:06" || l.Decimal() != "," {
		t.Error(l.Date(at), l.Moment(at), l.Decimal())
	}
}

func TestWriter(t *testing.T) {
	var b bytes.Buffer
	w := &Writer{To: &b, Language: french(t)}
	for _, part := range []string{"look: wai", "ting\n\nthe server", " is away"} {
		if n, err := w.Write([]byte(part)); err != nil || n != len(part) {
			t.Fatal(n, err)
		}
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	if b.String() != "look: en attente\n\nle serveur ne répond pas" {
		t.Errorf("%q", b.String())
	}
}

func TestCheckFormat(t *testing.T) {
	for _, c := range []struct {
		english, said string
		fine          bool
	}{
		{"%q of %s", "%[2]s: %[1]q", true},
		{"%q of %s", "%q", false},
		{"%q", "%q %q", false},
		{"50%% of %d", "%d: 50 %%", true},
	} {
		if err := checkFormat(c.english, c.said); (err == nil) != c.fine {
			t.Errorf("%q, %q: %v", c.english, c.said, err)
		}
	}
}

func FuzzText(f *testing.F) {
	l, err := read([]byte(small))
	if err != nil {
		f.Fatal(err)
	}
	for _, seed := range []string{"waiting", "12 records", `the file "a" has no column "b"`, "a needs b needs c", "\xff: `", "%s"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		l.Text(text)
		var b bytes.Buffer
		if err := l.Page(&b, []byte(text)); err != nil {
			t.Fatal(err)
		}
	})
}

// A page has some hundred texts, which are looked up in all of a catalog.
func BenchmarkText(b *testing.B) {
	l, _ := Find("fr")
	for b.Loop() {
		l.Text("the rule \"anc\" has failed 3 times since yesterday: the server does not answer; nothing is lost")
	}
}

// What people named stays as they named it, also where the catalog has the word.
func TestNamesStay(t *testing.T) {
	l, _ := Find("fr")
	for english, want := range map[string]string{
		"2 records of rule open have failed":          "2 fiches de la règle open ont échoué",
		"Child under 5, Yes":                          "Child under 5, Yes",
		"file failed of rules: 3 rows read, 1 failed": "fichier failed de rules : 3 lignes lues, 1 en échec",
	} {
		if got := l.Text(english); got != want {
			t.Errorf("%q: %q, want %q", english, got, want)
		}
	}
}

// Comments of a file are said, and nothing else of it.
func TestComments(t *testing.T) {
	l := french(t)
	for english, want := range map[string]string{
		"a: waiting # waiting\n# waiting":     "a: waiting # en attente\n# en attente",
		"a: \"x # waiting\"   #  waiting  ":   "a: \"x # waiting\"   #  en attente  ",
		"  # b: …   # waiting":                "  # b: …   # en attente",
		"when: it's late # waiting":           "when: it's late # en attente",
		"# yaml-language-server: $schema=x\n": "# yaml-language-server: $schema=x\n",
		"#     waiting: x # waiting":          "#     waiting: x # en attente",
		"#     waiting:\n#   - waiting:":      "#     waiting:\n#   - waiting:",
		"id: trigger[\"#text\"] # waiting":    "id: trigger[\"#text\"] # en attente",
	} {
		if got := l.Comments(english); got != want {
			t.Errorf("%q: %q, want %q", english, got, want)
		}
	}
}
