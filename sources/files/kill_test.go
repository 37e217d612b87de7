package files

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/culvert/culvert/sources"
	"github.com/culvert/culvert/sources/sourcetest"
)

// watchEnv makes the test program a watcher of a folder, to be killed.
const watchEnv = "CULVERT_TEST_WATCH"

// ledger is a sink that survives its process: a line for each file, on disk before it is accepted.
type ledger struct {
	mu    sync.Mutex
	path  string
	known map[string]string // id → digest
	files []sources.File
}

func openLedger(path string) (*ledger, error) {
	l := &ledger{path: path, known: map[string]string{}}
	text, err := os.ReadFile(path)
	if err != nil && !os.IsNotExist(err) {
		return nil, err
	}
	lines := bufio.NewScanner(bytes.NewReader(text))
	for lines.Scan() {
		var f sources.File
		// the last line may have been cut off by the kill; then it was not accepted
		if json.Unmarshal(lines.Bytes(), &f) == nil {
			l.known[f.ID] = f.SHA256
			l.files = append(l.files, f)
		}
	}
	return l, lines.Err()
}

func (l *ledger) AcceptFile(_ context.Context, f sources.File) (bool, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, ok := l.known[f.ID]; ok {
		return false, nil
	}
	for _, sum := range l.known {
		if sum == f.SHA256 {
			return true, nil
		}
	}
	line, err := json.Marshal(f)
	if err != nil {
		return false, err
	}
	out, err := os.OpenFile(l.path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return false, err
	}
	defer out.Close()
	if _, err := out.Write(append([]byte("\n"), append(line, '\n')...)); err != nil {
		return false, err
	}
	if err := out.Sync(); err != nil {
		return false, err
	}
	l.known[f.ID] = f.SHA256
	l.files = append(l.files, f)
	return false, nil
}

func (l *ledger) count() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.files)
}

func (l *ledger) Accept(context.Context, sources.Batch) ([]sources.Receipt, error) { return nil, nil }
func (l *ledger) Cursor(context.Context, string) (string, error)                   { return "", nil }

// killConfig watches two folders: one where files appear under their name when they are complete,
// one where a marker says so.
func killConfig(root string) Config {
	renamed := WatchedRule{Rule: "renamed", Folder: filepath.Join(root, "renamed"), Create: true,
		StableFor: time.Millisecond}
	marked := WatchedRule{Rule: "marked", Folder: filepath.Join(root, "marked"), Create: true, Marker: ".done"}
	for _, r := range []*WatchedRule{&renamed, &marked} {
		r.Done, r.Failed = filepath.Join(r.Folder, "done"), filepath.Join(r.Folder, "failed")
	}
	return Config{Inbox: filepath.Join(root, "inbox"), Rules: []WatchedRule{renamed, marked}, Scan: 3 * time.Millisecond}
}

func watchUntilKilled(root string) {
	l, err := openLedger(filepath.Join(root, "ledger"))
	if err == nil {
		fmt.Println("ready")
		err = New(killConfig(root)).Run(context.Background(), l)
	}
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

// A writer drops files while the watcher is killed again and again. At the end every file is
// accepted once, whole, and nothing lies about.
func TestNoFileIsLostWhenTheWatcherIsKilled(t *testing.T) {
	if testing.Short() {
		t.Skip("starts and kills processes")
	}
	root := t.TempDir()
	const files, kills = 150, 12
	for _, dir := range []string{"renamed", "marked"} {
		if err := os.MkdirAll(filepath.Join(root, dir), 0o750); err != nil {
			t.Fatal(err)
		}
	}
	var writer sync.WaitGroup
	writer.Go(func() {
		for i := range files {
			dropFile(t, root, i)
		}
	})
	for range kills {
		watcher := exec.Command(os.Args[0], "-test.run=^$")
		watcher.Env = append(os.Environ(), watchEnv+"="+root)
		var complaint bytes.Buffer
		watcher.Stderr = &complaint
		ready, err := watcher.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := watcher.Start(); err != nil {
			t.Fatal(err)
		}
		if _, err := bufio.NewReader(ready).ReadString('\n'); err != nil {
			t.Fatal(err, complaint.String())
		}
		time.Sleep(time.Duration(rand.IntN(150)) * time.Millisecond) // how far it gets is the point of the test
		if err := watcher.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = watcher.Wait() // it was killed
		if complaint.Len() > 0 {
			t.Fatal(complaint.String())
		}
	}
	writer.Wait()
	l, err := openLedger(filepath.Join(root, "ledger"))
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d of %d files were accepted before the last kill", l.count(), files)
	stop := start(t, killConfig(root), l)
	for deadline := time.Now().Add(60 * time.Second); l.count() < files && time.Now().Before(deadline); {
		time.Sleep(5 * time.Millisecond)
	}
	stop()
	got := map[string]int{}
	for _, f := range l.files {
		got[f.Name]++
		if text := sourcetest.ReadFile(t, f.Path); text != fileText(f.Name) {
			t.Errorf("%s was taken with %d of %d bytes", f.Name, len(text), len(fileText(f.Name)))
		}
	}
	for i := range files {
		if n := got[fmt.Sprintf("f%d.csv", i)]; n != 1 {
			t.Errorf("f%d.csv was accepted %d times", i, n)
		}
	}
	for _, dir := range []string{"renamed", "marked"} {
		if left := sourcetest.Names(t, filepath.Join(root, dir)); left != nil {
			t.Errorf("left in %s: %v", dir, left)
		}
	}
}

func fileText(name string) string {
	return "name\n" + string(bytes.Repeat([]byte(name+"\n"), 500))
}

// dropFile writes a file in pieces, and then shows in one of two ways that it is complete.
func dropFile(t *testing.T, root string, i int) {
	name := fmt.Sprintf("f%d.csv", i)
	path := filepath.Join(root, "marked", name)
	if i%2 == 0 {
		path = filepath.Join(root, "renamed", name+".part")
	}
	f, err := os.Create(path)
	if err != nil {
		t.Error(err)
		return
	}
	text := fileText(name)
	for len(text) > 0 {
		n := min(len(text), 1000)
		if _, err := f.WriteString(text[:n]); err != nil {
			t.Error(err)
		}
		text = text[n:]
	}
	if err := f.Close(); err != nil {
		t.Error(err)
	}
	if i%2 == 0 {
		err = os.Rename(path, filepath.Join(root, "renamed", name))
	} else {
		err = os.WriteFile(path+".done", nil, 0o600)
	}
	if err != nil {
		t.Error(err)
	}
	time.Sleep(5 * time.Millisecond) // spread over the kills
}
