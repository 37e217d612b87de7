package doctor

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/fsnotify/fsnotify"

	"github.com/culvert/culvert/engine/backup"
	"github.com/culvert/culvert/engine/journal/open"
)

// Limits of the disk.
const (
	diskLow  = 1 << 30   // below it a warning
	diskFull = 100 << 20 // below it a failure
	dialTime = 5 * time.Second
)

// state says whether the folder that holds the journal can be written, by us and by nobody else.
func (d *doctor) state() {
	folder := d.Project.Config.StateDir
	if !filepath.IsAbs(folder) {
		folder = filepath.Join(d.Project.Dir, folder)
	}
	if left := backup.Leftovers(folder); len(left) > 0 {
		d.warn("restore", "", "remove it unless a restore is at work now; the next `culvert restore` does",
			"a restore that was stopped left a copy of the journal in %s", strings.Join(left, ", "))
	}
	info, err := os.Stat(folder)
	if errors.Is(err, fs.ErrNotExist) {
		if err := writable(filepath.Dir(folder)); err != nil {
			d.fail("state", "", "run it as the user of the service, or give that user the folder", "%s cannot be made: %v",
				folder, err)
			return
		}
		d.ok("state", "", "%s is made at the first start", folder)
		d.disk(filepath.Dir(folder))
		return
	}
	if err != nil {
		d.fail("state", "", "give the user of the service the right to read it", "%s cannot be looked at: %v", folder, err)
		return
	}
	switch owner, me, ok := owners(info); {
	case ok && owner != me:
		d.fail("state", "", fmt.Sprintf("run culvert as that user (culvert-project does), or `chown -R` the folder to the "+
			"one who runs it; here %s looks", me),
			"%s belongs to %s", folder, owner)
	case writable(folder) != nil:
		d.fail("state", "", "give the user of the service the right to write it", "%s cannot be written: %v", folder,
			writable(folder))
	case info.Mode().Perm()&0o077 != 0 && ok:
		d.warn("state", "", "chmod 700 "+folder, "others on this machine can look into %s", folder)
	default:
		d.ok("state", "", "%s can be written", folder)
	}
	d.disk(folder)
}

// writable tries to make a file, and removes it.
func writable(folder string) error {
	f, err := os.CreateTemp(folder, ".culvert-doctor-*")
	if err != nil {
		return err
	}
	return errors.Join(f.Close(), os.Remove(f.Name()))
}

func (d *doctor) disk(folder string) {
	free, total, kind, err := space(folder)
	switch {
	case err != nil:
		d.add(Check{Name: "disk", Of: folder, Status: Skipped, What: fmt.Sprintf("its free space cannot be read: %v", err)})
	case free < diskFull:
		d.fail("disk", folder, "make room: without it nothing is accepted", "%s are free of %s", size(free), size(total))
	case free < diskLow:
		d.warn("disk", folder, "make room soon; `retention:` in culvert.yaml says what is kept for how long",
			"%s are free of %s", size(free), size(total))
	default:
		d.ok("disk", folder, "%s are free of %s", size(free), size(total))
	}
	if kind != "" {
		d.warn("file system", folder, "keep the journal on a disk of this machine, or use store: postgres://…",
			"it lies on %s, where a database file can be damaged", kind)
	}
}

func size(n uint64) string {
	for _, u := range []struct {
		of   uint64
		name string
	}{{1 << 40, "TiB"}, {1 << 30, "GiB"}, {1 << 20, "MiB"}} {
		if n >= u.of {
			return fmt.Sprintf("%.1f %s", float64(n)/float64(u.of), u.name)
		}
	}
	return fmt.Sprintf("%d KiB", n>>10)
}

// folders says whether files can be taken from the folders that rules watch.
func (d *doctor) folders() {
	watcher, err := fsnotify.NewWatcher()
	if err != nil {
		d.warn("watching", "", watchHint, "folders cannot be watched, and are looked at from time to time instead: %v", err)
	} else {
		defer watcher.Close()
	}
	for _, f := range d.Folders {
		of := f.Rule + ": " + f.Path
		info, err := os.Stat(f.Path)
		switch {
		case errors.Is(err, fs.ErrNotExist) && f.Create:
			d.ok("folder", of, "it is made at the start")
			continue
		case errors.Is(err, fs.ErrNotExist):
			d.fail("folder", of, "make it, or mount what it stands for; files that come later are taken", "it is not there")
			continue
		case err != nil:
			d.fail("folder", of, "give the user of the service the right to read it", "it cannot be looked at: %v", err)
			continue
		case !info.IsDir():
			d.fail("folder", of, "name a folder", "it is no folder")
			continue
		}
		if err := writable(f.Path); err != nil {
			d.fail("folder", of, "give the user of the service the right to write it: files that have been taken are moved away",
				"files cannot be moved out of it: %v", err)
			continue
		}
		d.ok("folder", of, "files can be taken")
		if watcher != nil {
			if err := watcher.Add(f.Path); err != nil {
				d.warn("watching", of, watchHint, "it cannot be watched, and is looked at from time to time instead: %v", err)
			}
		}
	}
}

// watchHint says how to give more watches on Linux, where they run out.
const watchHint = "sysctl fs.inotify.max_user_instances=1024 fs.inotify.max_user_watches=262144, and keep both in " +
	"/etc/sysctl.d/"

// machine says what the system allows, and which zone dates without one are read in.
func (d *doctor) machine() {
	if n, ok := openFiles(); ok && n < 1024 {
		d.warn("open files", "", "LimitNOFILE=65536 in the unit, or `ulimit -n 65536`", "a process may open %d files only", n)
	}
	zone := d.Project.Config.Zone
	if zone == nil {
		zone = time.UTC
	}
	d.ok("time zone", "", "times without a zone are read as %s, where it is %s now", zone,
		d.Now().In(zone).Format("2006-01-02 15:04"))
}

// listen says whether the address of the web server is free, or ours.
func (d *doctor) listen(ctx context.Context) {
	address, err := d.Project.Config.Listen.Resolve()
	if err != nil {
		return // secrets says so
	}
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", address)
	if err == nil {
		d.ok("listen", address, "it is free")
		if err := l.Close(); err != nil {
			d.warn("listen", address, "", "it could not be given back: %v", err)
		}
		return
	}
	if ours(ctx, address) {
		d.ok("listen", address, "a run answers there")
		return
	}
	d.fail("listen", address, "end the program that listens there (`ss -ltnp` names it), or choose another with "+
		"listen: in culvert.yaml", "it cannot be listened on: %v", err)
}

// ours tells whether what listens on an address is a run of Culvert.
func ours(ctx context.Context, address string) bool {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return false
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "localhost"
	}
	ctx, cancel := context.WithTimeout(ctx, dialTime)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+net.JoinHostPort(host, port)+"/ready", nil)
	if err != nil {
		return false
	}
	resp, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(req)
	if err != nil {
		return false
	}
	body := make([]byte, 64)
	n, _ := resp.Body.Read(body) // what is short is not ours
	_ = resp.Body.Close()
	return strings.HasPrefix(string(body[:n]), "records are taken") || resp.StatusCode == http.StatusServiceUnavailable
}

// store says whether the journal's database can be reached; a file's folder is looked at by state.
func (d *doctor) store(ctx context.Context) {
	dsn, err := d.Project.Config.Store.Resolve()
	if err != nil {
		return // secrets says so
	}
	if path, ok := strings.CutPrefix(dsn, "sqlite:"); ok {
		d.sqlite(path)
		return
	}
	u, err := url.Parse(dsn)
	if err != nil || u.Host == "" {
		return // a socket or a form of its own: the run says what is wrong with it
	}
	host := u.Host
	if u.Port() == "" {
		host = net.JoinHostPort(u.Hostname(), "5432")
	}
	ctx, cancel := context.WithTimeout(ctx, dialTime)
	defer cancel()
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", host)
	if err != nil {
		d.fail("store", host, "start PostgreSQL, or put its address right in store:",
			"the journal's database does not answer: %v", err)
		return
	}
	d.ok("store", host, "the journal's database answers")
	_ = conn.Close() // nothing was sent
}

func (d *doctor) sqlite(path string) {
	path, _, _ = strings.Cut(path, "?")
	if !filepath.IsAbs(path) {
		path = filepath.Join(d.Project.Dir, path)
	}
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		d.ok("store", path, "it is made at the first start")
	case err != nil:
		d.fail("store", path, "run culvert as the user to whom it belongs (culvert-project does)",
			"the journal cannot be opened: %v", err)
	default:
		d.ok("store", path, "the journal can be opened")
		_ = f.Close() // nothing was written
	}
	state := d.Project.Config.StateDir
	if !filepath.IsAbs(state) {
		state = filepath.Join(d.Project.Dir, state)
	}
	if folder := open.Exposed("sqlite:" + path); folder != "" && folder != filepath.Clean(state) {
		d.warn("store", folder, "chmod 700 "+folder, "others on this machine can look into the journal's folder")
	}
}
