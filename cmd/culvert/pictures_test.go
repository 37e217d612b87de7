package main

import (
	"bufio"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/culvert/culvert/internal/browsertest"
)

// TestPictures takes the pictures of README and docs from a demo that stays, in a real browser, so
// that they show what there is: what cannot be reached or shown any more fails. `-update` writes them anew.
func TestPictures(t *testing.T) {
	ctx, complaints := browsertest.Open(t)
	console, password := startDemo(t)
	shots := map[string][]byte{}
	take := func(name, path, wait string, before ...chromedp.Action) {
		t.Helper()
		var text []byte
		actions := append([]chromedp.Action{chromedp.Navigate(console + path)}, before...)
		actions = append(actions, chromedp.WaitVisible(wait), chromedp.CaptureScreenshot(&text))
		if err := chromedp.Run(ctx, actions...); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		shots[name] = text
	}
	if err := chromedp.Run(ctx, chromedp.EmulateViewport(1180, 820)); err != nil {
		t.Fatal(err)
	}
	take("console", "/", `main`, chromedp.WaitVisible(`input[name=password]`),
		chromedp.SendKeys(`input[name=user]`, "admin"), chromedp.SendKeys(`input[name=password]`, password+"\r"),
		chromedp.WaitVisible(`a[href="/console/failures"]`))
	take("failures", "/console/failures", `main`)
	take("files", "/console/files", `main`)
	if said := complaints.Take(); len(said) > 0 {
		t.Errorf("the browser complains: %q", said)
	}
	for name, text := range shots {
		if len(text) < 10_000 {
			t.Errorf("%s shows nothing: %d bytes", name, len(text))
		}
		if *update {
			if err := os.WriteFile(filepath.Join("../../docs/pictures", name+".png"), text, 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
}

var stillRunning = regexp.MustCompile(`console (http://\S+) \(admin/(\w+)\)`)

// startDemo runs a demo that stays and gives its console.
func startDemo(t *testing.T) (console, password string) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	c := exec.CommandContext(ctx, os.Args[0], "demo", "--stay", "--into", filepath.Join(t.TempDir(), "demo"))
	c.Env = append(os.Environ(), asChild+"=1", "LANG=C.UTF-8")
	c.Cancel = func() error { return c.Process.Signal(os.Interrupt) }
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cancel()
		_ = c.Wait() // it was told to end
	})
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if m := stillRunning.FindStringSubmatch(lines.Text()); m != nil {
			return m[1], m[2]
		}
	}
	t.Fatal("the demo did not come to its end")
	return "", ""
}
