package sftp

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/pkg/sftp"

	"github.com/culvert/culvert/sources"
	"github.com/culvert/culvert/sources/remote"
)

// place is the folder of a rule.
type place struct {
	*session
	folder string
}

func dial(ctx context.Context, c sources.Connection, r *remote.Rule, _ *slog.Logger) (remote.Place, error) {
	s, err := connect(ctx, c)
	if err != nil {
		return nil, err
	}
	s.stop = context.AfterFunc(ctx, func() { _ = s.ssh.Close() })
	return &place{session: s, folder: r.Folder}, nil
}

// maxListing bounds the list of one folder, in bytes as it comes: some hundred thousand files.
const maxListing = 64 << 20

// List gives the regular files of the folder; links are not followed.
func (p *place) List(ctx context.Context) ([]remote.Item, error) {
	p.conn.Bound(maxListing)
	entries, err := p.files.ReadDirContext(ctx, p.folder)
	p.conn.Bound(0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("the folder %s is not on %s: make it there, or correct folder: of the rule", p.folder, p.host)
	}
	if p.conn.TooMuch() {
		return nil, fmt.Errorf("%s on %s holds more files than can be listed: give the rule another folder, or after: move",
			p.folder, p.host)
	}
	if err != nil {
		return nil, fmt.Errorf("look into %s on %s: %w", p.folder, p.host, err)
	}
	var items []remote.Item
	for _, e := range entries {
		if e.Mode().IsRegular() {
			items = append(items, itemOf(path.Join(p.folder, e.Name()), e))
		}
	}
	return items, nil
}

func itemOf(at string, info os.FileInfo) remote.Item {
	return remote.Item{Path: at, Name: path.Base(at), Size: info.Size(), Written: info.ModTime(),
		Version: strconv.FormatInt(info.Size(), 10) + "-" + strconv.FormatInt(info.ModTime().Unix(), 10)}
}

// Open reads a file from an offset.
func (p *place) Open(_ context.Context, item remote.Item, offset int64) (io.ReadCloser, error) {
	f, err := p.files.Open(item.Path)
	if err != nil {
		return nil, p.fileError(err)
	}
	if _, err := f.Seek(offset, io.SeekStart); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return &reading{File: f, place: p, item: item, left: item.Size - offset}, nil
}

// fileError tells what is wrong with one file from what is wrong with the server.
func (p *place) fileError(err error) error {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return remote.ErrChanged // it went since it was listed
	case errors.Is(err, fs.ErrPermission):
		return &remote.FileError{Err: fmt.Errorf("%s does not let this user read it", p.host)}
	}
	if said, ok := errors.AsType[*sftp.StatusError](err); ok && !slices.Contains(ofServer, error(said.FxCode())) {
		return &remote.FileError{Err: fmt.Errorf("%s cannot read it: it says %q", p.host, said.FxCode().Error())}
	}
	return err
}

// ofServer are what a server answers that has no connection any more to where files lie: no file is at fault.
var ofServer = []error{sftp.ErrSSHFxNoConnection, sftp.ErrSSHFxConnectionLost}

// reading is a file that is read.
type reading struct {
	*sftp.File
	place *place
	item  remote.Item
	left  int64
}

// WriteTo reads to the end, and sees that the file is still the one that was listed.
func (r *reading) WriteTo(w io.Writer) (int64, error) {
	n, err := r.File.WriteTo(w)
	if err != nil {
		return n, r.place.fileError(err)
	}
	info, err := r.Stat()
	if err != nil {
		return n, r.place.fileError(err)
	}
	if n != r.left || itemOf(r.item.Path, info).Version != r.item.Version {
		return n, remote.ErrChanged
	}
	return n, nil
}

// Put writes a file under another name, and then renames it.
func (p *place) Put(ctx context.Context, folder, name string, content io.ReadSeeker, _ int64) error {
	stop := context.AfterFunc(ctx, func() { _ = p.ssh.Close() })
	defer stop()
	if err := p.files.MkdirAll(folder); err != nil {
		return fmt.Errorf("make the folder %s on %s: %w", folder, p.host, err)
	}
	part := path.Join(folder, "."+name+".part")
	f, err := p.files.OpenFile(part, os.O_WRONLY|os.O_CREATE|os.O_TRUNC)
	if err != nil {
		return fmt.Errorf("write into %s on %s: %w", folder, p.host, err)
	}
	_, err = f.ReadFrom(content)
	if err = errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("write into %s on %s: %w", folder, p.host, err)
	}
	return p.replace(part, path.Join(folder, name))
}

// replace renames a file in place of another one, also where the server knows no such renaming.
func (p *place) replace(from, to string) error {
	if _, ok := p.files.HasExtension("posix-rename@openssh.com"); ok {
		return p.files.PosixRename(from, to)
	}
	if err := p.files.Remove(to); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return p.files.Rename(from, to)
}

// isStill tells whether a file lies there as it was listed: what replaced it is another one.
func (p *place) isStill(item remote.Item) (bool, error) {
	info, err := p.files.Lstat(item.Path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("look at %s on %s: %w", item.Name, p.host, err)
	}
	return itemOf(item.Path, info).Version == item.Version, nil
}

// Move moves a file into a folder, under a name that is free there.
func (p *place) Move(_ context.Context, item remote.Item, folder string) error {
	if there, err := p.isStill(item); err != nil || !there {
		return err
	}
	if err := p.files.MkdirAll(folder); err != nil {
		return fmt.Errorf("make the folder %s on %s: %w", folder, p.host, err)
	}
	ext := path.Ext(item.Name)
	stem := strings.TrimSuffix(item.Name, ext)
	name := item.Name
	for n := 2; ; n++ {
		to := path.Join(folder, name)
		_, err := p.files.Lstat(to)
		if errors.Is(err, fs.ErrNotExist) {
			if err := p.files.Rename(item.Path, to); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return fmt.Errorf("move %s into %s on %s: %w", item.Name, folder, p.host, err)
			}
			return nil
		}
		if err != nil {
			return fmt.Errorf("look into %s on %s: %w", folder, p.host, err)
		}
		name = stem + "-" + strconv.Itoa(n) + ext
	}
}

// Delete removes a file.
func (p *place) Delete(_ context.Context, item remote.Item) error {
	if there, err := p.isStill(item); err != nil || !there {
		return err
	}
	if err := p.files.Remove(item.Path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("delete %s on %s: %w", item.Name, p.host, err)
	}
	return nil
}
