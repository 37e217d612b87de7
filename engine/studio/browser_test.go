package studio

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/culvert/culvert/internal/browsertest"
)

// browser gives a real browser that was let in.
func browser(t *testing.T, f *served) (context.Context, *browsertest.Complaints) {
	t.Helper()
	ctx, c := browsertest.Open(t)
	if err := chromedp.Run(ctx, emulation.SetDeviceMetricsOverride(1366, 900, 1, false),
		chromedp.Navigate(f.srv.URL+f.studio.Path()), chromedp.WaitReady("main")); err != nil {
		t.Fatalf("open the studio: %v", err)
	}
	return ctx, c
}

// run does something with the page and fails the test with what went wrong.
func run(ctx context.Context, t *testing.T, what string, actions ...chromedp.Action) {
	t.Helper()
	wait, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	if err := chromedp.Run(wait, actions...); err != nil {
		var said string
		_ = chromedp.Run(ctx, chromedp.Text("#rows", &said, chromedp.ByQuery)) // what is shown helps to see why
		t.Fatalf("%s: %v\n%.3000s", what, err, said)
	}
}

// saying waits until a part of the page says something.
func saying(selector, text string) chromedp.Action {
	ask := fmt.Sprintf(`[...document.querySelectorAll(%q)].some(e => (e.value || e.innerText).includes(%q))`, selector,
		text)
	return chromedp.ActionFunc(func(ctx context.Context) error {
		for {
			var said bool
			if err := chromedp.Evaluate(ask, &said).Do(ctx); err != nil || said {
				return err
			}
			select {
			case <-ctx.Done():
				return fmt.Errorf("%s does not say %q: %w", selector, text, ctx.Err())
			case <-time.After(20 * time.Millisecond):
			}
		}
	})
}

// typing types in the place of what a field holds.
func typing(selector, text string) chromedp.Action {
	return chromedp.Tasks{chromedp.Evaluate(fmt.Sprintf(`{const f = document.querySelector(%q); f.focus(); f.select()}`,
		selector), nil), chromedp.KeyEvent(text)}
}

// click clicks what a selector of CSS names.
func click(selector string) chromedp.Action { return chromedp.Click(selector, chromedp.ByQuery) }

func row(name, part string) string { return fmt.Sprintf(`.row[data-name=%q] %s`, name, part) }

// TestAFieldIsMapped opens a rule, maps a field by picking, sees its value, saves, and the file
// differs in one line. A mistake shows its finding, and a change on the disk in between is refused.
func TestAFieldIsMapped(t *testing.T) {
	f := serve(t, "anc")
	ctx, c := browser(t, f)
	before := f.text(registration)
	run(ctx, t, "open the rule", click(`a[href$="anc-registration.yaml"]`))
	run(ctx, t, "see the text", saying(`.cm-content`, "program: Antenatal care"))
	run(ctx, t, "see a value", saying(row("Weight (kg)", ".comes"), "60.2"))
	browsertest.Picture(ctx, t, "rule-desk")
	run(ctx, t, "map a field", chromedp.Focus(row("Email address", ".expr"), chromedp.ByQuery),
		click(`.leaf[data-expr="trigger.form.first_name"]`),
		saying(row("Email address", ".expr"), "trigger.form.first_name"))
	browsertest.Picture(ctx, t, "rule-mapped")
	run(ctx, t, "see that it does not fit", saying(row("Email address", ".comes"), "Fatou"))
	run(ctx, t, "type another expression", typing(row("Email address", ".expr"), `"a@" + trigger.domain + ".org"`),
		saying(row("Email address", ".comes"), "a@tamala-anc.org"), chromedp.KeyEvent(kb.Escape),
		saying(".cm-content", `Email address: '"a@"`))
	run(ctx, t, "save", click("#save"), saying("#saved", "Saved"))
	gone, come := difference(before, f.text(registration))
	if len(gone) != 0 || len(come) != 1 || come[0] != `        Email address: '"a@" + trigger.domain + ".org"'` {
		t.Errorf("went %q, came %q", gone, come)
	}
	run(ctx, t, "make a mistake", typing(row("Weight (kg)", ".expr"), `trigger.form.wieght`),
		saying(row("Weight (kg)", ".finding"), "weight"), chromedp.KeyEvent(kb.Escape),
		saying(row("MUAC (mm)", ".comes"), "247"))
	browsertest.Picture(ctx, t, "rule-mistake")
	f.write(registration, f.text(registration)+"# somebody else was here\n")
	run(ctx, t, "save what was changed beside", click("#save"), saying("#message", "changed on the disk"))
	if text := f.text(registration); !strings.HasSuffix(text, "# somebody else was here\n") {
		t.Errorf("the change of somebody else is gone:\n%s", text)
	}
	for _, said := range c.Take() {
		if !strings.Contains(said, "409") {
			t.Errorf("the browser says: %s", said)
		}
	}
}

// TestAMapIsFilled shows a value that comes and is not in its map, takes an option for it, and saves;
// then what is typed into the text is seen in the table.
func TestAMapIsFilled(t *testing.T) {
	f := serve(t, "anc")
	before := strings.Replace(f.text(registration), "sex: {f: Female, m: Male}", "sex: {m: Male}", 1)
	f.write(registration, before)
	ctx, c := browser(t, f)
	run(ctx, t, "open the rule", chromedp.Navigate(f.srv.URL+"/rule/"+registration), saying(".gap", "not in the map"),
		saying(row("Sex", ".finding"), "does not cover"))
	choose := `{const s = document.querySelector('.gap select'); s.value = "FEMALE"; s.dispatchEvent(new Event("change", ` +
		`{bubbles: true}))}`
	run(ctx, t, "choose an option", chromedp.Evaluate(choose, nil), saying(row("Sex", ".comes"), "FEMALE"))
	run(ctx, t, "see the change", click("#changes"), saying("#difference ins", "sex: {m: Male, f: FEMALE}"))
	run(ctx, t, "save", chromedp.KeyEvent("s", chromedp.KeyModifiers(2)), saying("#saved", "Saved"))
	gone, come := difference(before, f.text(registration))
	if len(gone) != 1 || len(come) != 1 || come[0] != "  sex: {m: Male, f: FEMALE}" {
		t.Errorf("went %q, came %q", gone, come)
	}
	run(ctx, t, "type into the text", chromedp.Focus(".cm-content", chromedp.ByQuery),
		chromedp.KeyEvent(kb.End, chromedp.KeyModifiers(2)), chromedp.KeyEvent("\r# x: y"), saying("#saved", "Not saved"))
	run(ctx, t, "open what would be sent", chromedp.Evaluate(`document.getElementById("sent").open = true`, nil),
		saying("#sent", "tracked entity Person"))
	browsertest.Accessible(ctx, t)
	for _, said := range c.Take() {
		t.Errorf("the browser says: %s", said)
	}
}

// studioPages are the kinds of pages that there are.
var studioPages = map[string]string{"overview": "/", "rule": "/rule/" + registration,
	"missing": "/rule/rules/none.yaml", "begin": "/new"}

// TestIncludedFieldsInABrowser shows fields that a rule includes with their values and a link to their file, which says
// what it is. A field of the rule's own is changed in one line of the rule.
func TestIncludedFieldsInABrowser(t *testing.T) {
	f := serve(t, "shared")
	const rule, fields = "rules/register.yaml", "snippets/person.yaml"
	f.write(rule, strings.Replace(f.text(rule), "\nlookups:", "\non_failure: stop\nlookups:", 1))
	ctx, c := browser(t, f)
	before, included := f.text(rule), f.text(fields)
	run(ctx, t, "see included fields", chromedp.Navigate(f.srv.URL+"/rule/"+rule),
		saying(row("First name", ".says"), fields), saying(row("First name", ".comes"), "Awa"),
		saying(row("Sex", ".comes"), "FEMALE"), saying(row("Date of birth", ".comes"), "1996-07-01"),
		chromedp.WaitNotPresent(row("First name", ".expr"), chromedp.ByQuery))
	run(ctx, t, "change a field of its own", typing(row("National ID", ".expr"), `known(trigger.id)`),
		saying(row("National ID", ".comes"), "r-1"), chromedp.KeyEvent(kb.Escape), saying(row("Sex", ".comes"), "FEMALE"),
		click("#save"), saying("#saved", "Saved"))
	gone, come := difference(before, f.text(rule))
	if len(gone) != 1 || len(come) != 1 || come[0] != "        National ID: known(trigger.id)" {
		t.Errorf("went %q, came %q", gone, come)
	}
	browsertest.Accessible(ctx, t)
	run(ctx, t, "go to the file", click(row("First name", `a[href="/rule/`+fields+`"]`)),
		saying(".cm-content", "full_name("), saying(".notice", "Rules include the fields of this file"))
	browsertest.Accessible(ctx, t)
	if f.text(fields) != included {
		t.Errorf("the included file changed:\n%s", f.text(fields))
	}
	for _, said := range c.Take() {
		t.Errorf("the browser says: %s", said)
	}
}

// TestPagesInEachLanguage checks the pages in French and Portuguese.
func TestPagesInEachLanguage(t *testing.T) {
	f := serve(t, "anc")
	ctx, c := browser(t, f)
	for code, title := range map[string]string{"fr": "Règles", "pt": "Regras"} {
		run(ctx, t, "choose "+code, chromedp.Navigate(f.srv.URL+"/"), click(`.languages [value="`+code+`"]`),
			saying("h1", title))
		for name, path := range studioPages {
			t.Run(code+"/"+name, func(t *testing.T) {
				var lang string
				run(ctx, t, "look", chromedp.Navigate(f.srv.URL+path), chromedp.WaitReady("main"),
					chromedp.Evaluate(`document.documentElement.lang`, &lang))
				if lang != code {
					t.Errorf("the page is in %q", lang)
				}
				full(ctx, t, name+"-"+code)
				browsertest.Accessible(ctx, t)
			})
		}
	}
	for _, said := range c.Take() {
		if !strings.Contains(said, "404") {
			t.Errorf("the browser says: %s", said)
		}
	}
}

// TestPagesInABrowser looks at the pages on a desk and on a phone.
func TestPagesInABrowser(t *testing.T) {
	f := serve(t, "anc")
	ctx, c := browser(t, f)
	for name, path := range studioPages {
		for size, s := range map[string][2]int64{"desk": {1366, 900}, "phone": {360, 740}} {
			t.Run(name+"/"+size, func(t *testing.T) {
				c.Take()
				var over float64
				run(ctx, t, "look", emulation.SetDeviceMetricsOverride(s[0], s[1], 1, s[0] < 500),
					chromedp.Navigate(f.srv.URL+path), chromedp.WaitReady("main"), chromedp.Evaluate(fmt.Sprintf(
						`Math.max(document.documentElement.scrollWidth, window.innerWidth) - %d`, s[0]), &over))
				if over > 0 {
					t.Errorf("%g pixels run off the screen", over)
				}
				for _, said := range c.Take() {
					if !strings.Contains(said, "404") {
						t.Errorf("the browser says: %s", said)
					}
				}
				full(ctx, t, name+"-"+size)
				browsertest.Accessible(ctx, t)
			})
		}
	}
}

// full leaves a picture of a whole page.
func full(ctx context.Context, t *testing.T, name string) {
	t.Helper()
	if dir := os.Getenv("CULVERT_TEST_PICTURES"); dir != "" {
		var text []byte
		if err := chromedp.Run(ctx, chromedp.FullScreenshot(&text, 100)); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name+".png"), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}
