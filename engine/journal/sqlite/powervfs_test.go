package sqlite_test

import (
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"unsafe"

	"modernc.org/libc"
	sqlite3 "modernc.org/sqlite/lib"
)

// A recorder notes in which order SQLite writes the files of one journal and syncs them. It stands
// between SQLite and the file layer of the system, which does the work all the same.

// event is one thing that happened to a file, or that was acknowledged.
type event struct {
	file string // -wal, or nothing for the journal itself
	kind eventKind
	at   int64 // of a write; the new size of a truncation
	data []byte
	said acknowledged
}

type eventKind byte

const (
	wrote eventKind = iota
	truncated
	synced
	acked
)

// acknowledged is what a caller of the journal was told.
type acknowledged struct {
	seq     int64
	settled bool
}

type recorder struct {
	path   string
	mu     sync.Mutex
	events []event
}

func (r *recorder) note(e event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.events = append(r.events, e)
}

// shim is the file layer with the recorders. SQLite knows one layer by its address, so that there is one of it.
var shim struct {
	once sync.Once
	open uintptr // the system's own

	mu        sync.Mutex
	recorders map[string]*recorder // by path
	files     map[uintptr]openFile // by the address that SQLite knows
	methods   map[uintptr]uintptr  // ours, by the address of the system's
	tls       *libc.TLS
}

type openFile struct {
	r       *recorder
	file    string
	methods sqlite3.Tsqlite3_io_methods // the system's
}

// record makes a recorder of the journal at a path that is opened later.
func record(t *testing.T, path string) *recorder {
	t.Helper()
	shim.once.Do(func() {
		shim.recorders, shim.files = map[string]*recorder{}, map[uintptr]openFile{}
		shim.methods = map[uintptr]uintptr{}
		shim.tls = libc.NewTLS()
		if rc := sqlite3.Xsqlite3_initialize(shim.tls); rc != sqlite3.SQLITE_OK {
			t.Fatalf("SQLite does not start: %d", rc)
		}
		layer := *at[sqlite3.Tsqlite3_vfs](sqlite3.Xsqlite3_vfs_find(shim.tls, 0))
		shim.open = layer.FxOpen
		layer.FpNext, layer.FxOpen = 0, function(shimOpen)
		name, err := libc.CString("recorded")
		if err != nil {
			t.Fatal(err)
		}
		layer.FzName = name
		if rc := sqlite3.Xsqlite3_vfs_register(shim.tls, copyOf(shim.tls, layer), 1); rc != sqlite3.SQLITE_OK {
			t.Fatalf("SQLite does not take the recorder: %d", rc)
		}
	})
	r := &recorder{path: path}
	shim.mu.Lock()
	defer shim.mu.Unlock()
	shim.recorders[path] = r
	t.Cleanup(func() {
		shim.mu.Lock()
		defer shim.mu.Unlock()
		delete(shim.recorders, path)
	})
	return r
}

// at reads what lies at an address of SQLite's memory.
func at[T any](address uintptr) *T { return *(**T)(unsafe.Pointer(&address)) }

// copyOf puts a value into SQLite's memory, for good, and gives its address.
func copyOf[T any](tls *libc.TLS, v T) uintptr {
	address := sqlite3.Xsqlite3_malloc(tls, int32(unsafe.Sizeof(v)))
	*at[T](address) = v
	return address
}

// function gives the address by which SQLite calls a function.
func function(f any) uintptr { return (*[2]uintptr)(unsafe.Pointer(&f))[1] }

// call makes a function of an address by which SQLite calls one.
func call[F any](address uintptr) F {
	return *(*F)(unsafe.Pointer(&address))
}

func shimOpen(tls *libc.TLS, vfs, name, file uintptr, flags int32, out uintptr) int32 {
	rc := call[func(*libc.TLS, uintptr, uintptr, uintptr, int32, uintptr) int32](shim.open)(tls, vfs, name, file, flags,
		out)
	if rc != sqlite3.SQLITE_OK || name == 0 {
		return rc
	}
	shim.mu.Lock()
	defer shim.mu.Unlock()
	path := libc.GoString(name)
	for _, end := range []string{"", "-wal"} {
		r := shim.recorders[strings.TrimSuffix(path, end)]
		if r == nil || !strings.HasSuffix(filepath.Base(path), filepath.Base(r.path)+end) {
			continue
		}
		system := *at[uintptr](file)
		ours := shim.methods[system]
		if ours == 0 {
			copied := *at[sqlite3.Tsqlite3_io_methods](system)
			copied.FxWrite, copied.FxTruncate, copied.FxSync, copied.FxClose = function(shimWrite), function(shimTruncate),
				function(shimSync), function(shimClose)
			ours = copyOf(tls, copied)
			shim.methods[system] = ours
		}
		shim.files[file] = openFile{r, end, *at[sqlite3.Tsqlite3_io_methods](system)}
		*at[uintptr](file) = ours
		break
	}
	return rc
}

func fileAt(file uintptr) openFile {
	shim.mu.Lock()
	defer shim.mu.Unlock()
	return shim.files[file]
}

func shimWrite(tls *libc.TLS, file, data uintptr, n int32, offset int64) int32 {
	f := fileAt(file)
	copied := append([]byte(nil), unsafe.Slice(at[byte](data), n)...)
	rc := call[func(*libc.TLS, uintptr, uintptr, int32, int64) int32](f.methods.FxWrite)(tls, file, data, n, offset)
	if rc == sqlite3.SQLITE_OK {
		f.r.note(event{file: f.file, kind: wrote, at: offset, data: copied})
	}
	return rc
}

func shimTruncate(tls *libc.TLS, file uintptr, size int64) int32 {
	f := fileAt(file)
	rc := call[func(*libc.TLS, uintptr, int64) int32](f.methods.FxTruncate)(tls, file, size)
	if rc == sqlite3.SQLITE_OK {
		f.r.note(event{file: f.file, kind: truncated, at: size})
	}
	return rc
}

func shimSync(tls *libc.TLS, file uintptr, flags int32) int32 {
	f := fileAt(file)
	rc := call[func(*libc.TLS, uintptr, int32) int32](f.methods.FxSync)(tls, file, flags)
	if rc == sqlite3.SQLITE_OK {
		f.r.note(event{file: f.file, kind: synced})
	}
	return rc
}

func shimClose(tls *libc.TLS, file uintptr) int32 {
	f := fileAt(file)
	rc := call[func(*libc.TLS, uintptr) int32](f.methods.FxClose)(tls, file)
	shim.mu.Lock()
	defer shim.mu.Unlock()
	delete(shim.files, file)
	return rc
}
