package studio

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// browser gives a real browser that was let in; the test is skipped where there is none.
func browser(t *testing.T, f *served) (context.Context, *complaints) {
	t.Helper()
	path := os.Getenv("CULVERT_TEST_CHROMIUM")
	if path == "" {
		if os.Getenv("CI") != "" {
			t.Fatal("CULVERT_TEST_CHROMIUM names no browser")
		}
		t.Skip("CULVERT_TEST_CHROMIUM names no browser")
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.NoSandbox,
		chromedp.DisableGPU, chromedp.UserDataDir(t.TempDir()), chromedp.Flag("disable-quic", true),
		chromedp.Flag("disable-component-update", true), chromedp.WSURLReadTimeout(time.Minute))
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewExecAllocator(ctx, options...)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(cancel)
	t.Cleanup(func() { _ = chromedp.Cancel(ctx) }) // waits until the browser has let go of its folder
	c := &complaints{}
	if err := chromedp.Run(ctx); err != nil {
		t.Fatalf("start the browser: %v", err)
	}
	c.listen(ctx)
	if err := chromedp.Run(ctx, log.Enable(), runtime.Enable(),
		emulation.SetDeviceMetricsOverride(1366, 900, 1, false),
		chromedp.Navigate(f.srv.URL+f.studio.Path()), chromedp.WaitReady("main")); err != nil {
		t.Fatalf("open the studio: %v", err)
	}
	return ctx, c
}

// complaints gathers what the browser says against pages: scripts that fail, what the content security policy refuses.
type complaints struct {
	mu   sync.Mutex
	list []string
}

func (c *complaints) listen(ctx context.Context) {
	chromedp.ListenTarget(ctx, func(event any) {
		c.mu.Lock()
		defer c.mu.Unlock()
		switch e := event.(type) {
		case *log.EventEntryAdded:
			if e.Entry.Level == log.LevelError {
				c.list = append(c.list, e.Entry.Text+" "+e.Entry.URL)
			}
		case *runtime.EventExceptionThrown:
			c.list = append(c.list, e.ExceptionDetails.Error())
		}
	})
}

func (c *complaints) take() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	list := c.list
	c.list = nil
	return list
}

func axe(t *testing.T) string {
	t.Helper()
	path := os.Getenv("CULVERT_TEST_AXE")
	if path == "" {
		t.Log("CULVERT_TEST_AXE names no axe.min.js: accessibility is not looked at")
		return ""
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// picture leaves one in the folder that CULVERT_TEST_PICTURES names.
func picture(ctx context.Context, t *testing.T, name string) {
	t.Helper()
	dir := os.Getenv("CULVERT_TEST_PICTURES")
	if dir == "" {
		return
	}
	var text []byte
	if err := chromedp.Run(ctx, chromedp.CaptureScreenshot(&text)); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, name+".png"), text, 0o600); err != nil {
		t.Fatal(err)
	}
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
	picture(ctx, t, "rule-desk")
	run(ctx, t, "map a field", chromedp.Focus(row("Email address", ".expr"), chromedp.ByQuery),
		click(`.leaf[data-expr="trigger.form.first_name"]`),
		saying(row("Email address", ".expr"), "trigger.form.first_name"))
	picture(ctx, t, "rule-mapped")
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
	picture(ctx, t, "rule-mistake")
	f.write(registration, f.text(registration)+"# somebody else was here\n")
	run(ctx, t, "save what was changed beside", click("#save"), saying("#message", "changed on the disk"))
	if text := f.text(registration); !strings.HasSuffix(text, "# somebody else was here\n") {
		t.Errorf("the change of somebody else is gone:\n%s", text)
	}
	for _, said := range c.take() {
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
	accessible(ctx, t)
	for _, said := range c.take() {
		t.Errorf("the browser says: %s", said)
	}
}

// TestPagesInABrowser looks at the pages on a desk and on a phone.
func TestPagesInABrowser(t *testing.T) {
	f := serve(t, "anc")
	ctx, c := browser(t, f)
	for name, path := range map[string]string{"overview": "/", "rule": "/rule/" + registration,
		"missing": "/rule/rules/none.yaml", "begin": "/new"} {
		for size, s := range map[string][2]int64{"desk": {1366, 900}, "phone": {360, 740}} {
			t.Run(name+"/"+size, func(t *testing.T) {
				c.take()
				var over float64
				run(ctx, t, "look", emulation.SetDeviceMetricsOverride(s[0], s[1], 1, s[0] < 500),
					chromedp.Navigate(f.srv.URL+path), chromedp.WaitReady("main"), chromedp.Evaluate(fmt.Sprintf(
						`Math.max(document.documentElement.scrollWidth, window.innerWidth) - %d`, s[0]), &over))
				if over > 0 {
					t.Errorf("%g pixels run off the screen", over)
				}
				for _, said := range c.take() {
					if !strings.Contains(said, "404") {
						t.Errorf("the browser says: %s", said)
					}
				}
				full(ctx, t, name+"-"+size)
				accessible(ctx, t)
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

// accessible has axe look at the page that is open.
func accessible(ctx context.Context, t *testing.T) {
	t.Helper()
	script := axe(t)
	if script == "" {
		return
	}
	var found string
	ask := `axe.run(document, {resultTypes: ["violations"]}).then(r => JSON.stringify(r.violations.map(v => ({id: ` +
		`v.id, help: v.help, at: v.nodes.map(n => n.html)}))))`
	run(ctx, t, "run axe", chromedp.Evaluate(script+";0", nil), chromedp.Evaluate(ask, &found,
		func(p *runtime.EvaluateParams) *runtime.EvaluateParams { return p.WithAwaitPromise(true) }))
	var violations []struct {
		ID, Help string
		At       []string
	}
	if err := json.Unmarshal([]byte(found), &violations); err != nil {
		t.Fatal(err)
	}
	for _, v := range violations {
		t.Errorf("axe: %s (%s): %q", v.Help, v.ID, v.At)
	}
}
