// Package browsertest opens pages in a real browser for tests, and gathers what it says against them.
package browsertest

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// Open gives a browser that the environment names (CULVERT_TEST_CHROMIUM), and what it has to
// complain of; the test is skipped where there is none.
func Open(t *testing.T) (context.Context, *Complaints) {
	t.Helper()
	path := os.Getenv("CULVERT_TEST_CHROMIUM")
	if path == "" {
		if os.Getenv("CI") != "" {
			t.Fatal("CULVERT_TEST_CHROMIUM names no browser")
		}
		t.Skip("CULVERT_TEST_CHROMIUM names no browser")
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.NoSandbox,
		chromedp.DisableGPU, chromedp.UserDataDir(t.TempDir()),
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-component-update", true),
		chromedp.WSURLReadTimeout(time.Minute))
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewExecAllocator(ctx, options...)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(cancel)
	t.Cleanup(func() { _ = chromedp.Cancel(ctx) }) // waits until the browser has let go of its folder
	if err := chromedp.Run(ctx); err != nil {
		t.Fatalf("start the browser: %v", err)
	}
	c := &Complaints{}
	c.listen(ctx)
	if err := chromedp.Run(ctx, log.Enable(), runtime.Enable()); err != nil {
		t.Fatalf("listen to the browser: %v", err)
	}
	return ctx, c
}

// Complaints gathers what the browser says against pages: scripts that fail, what the content security policy refuses.
type Complaints struct {
	mu   sync.Mutex
	list []string
}

func (c *Complaints) listen(ctx context.Context) {
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

// Take gives what was said since the last time.
func (c *Complaints) Take() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	list := c.list
	c.list = nil
	return list
}

// Accessible has axe look at the page that is open, where it is at hand: CULVERT_TEST_AXE names its axe.min.js.
func Accessible(ctx context.Context, t *testing.T) {
	t.Helper()
	path := os.Getenv("CULVERT_TEST_AXE")
	if path == "" {
		t.Log("CULVERT_TEST_AXE names no axe.min.js: accessibility is not looked at")
		return
	}
	script, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	const ask = `axe.run(document, {resultTypes: ["violations"]}).then(r => JSON.stringify(r.violations.map(v => ({id: ` +
		`v.id, help: v.help, at: v.nodes.map(n => n.html)}))))`
	var found string
	if err := chromedp.Run(ctx, chromedp.Evaluate(string(script)+";0", nil), chromedp.Evaluate(ask, &found,
		func(p *runtime.EvaluateParams) *runtime.EvaluateParams { return p.WithAwaitPromise(true) })); err != nil {
		t.Fatalf("run axe: %v", err)
	}
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

// Picture leaves a picture of the page that is open in the folder that CULVERT_TEST_PICTURES names, if it names one.
func Picture(ctx context.Context, t *testing.T, name string) {
	t.Helper()
	dir := os.Getenv("CULVERT_TEST_PICTURES")
	if dir == "" {
		return
	}
	var text []byte
	if err := chromedp.Run(ctx, chromedp.FullScreenshot(&text, 100)); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, name+".png"), text, 0o600); err != nil {
		t.Fatal(err)
	}
}
