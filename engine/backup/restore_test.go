package backup

import (
	"path/filepath"
	"testing"
)

// TestMoved gives files their place in the project that a backup is restored into, whichever system
// the backup was made on.
func TestMoved(t *testing.T) {
	t.Parallel()
	p := Project{Dir: filepath.FromSlash("/srv/anc"), State: filepath.FromSlash("/var/lib/anc")}
	unix := Manifest{Dir: "/home/asha/anc", State: "/home/asha/anc/state"}
	windows := Manifest{Dir: "C:/Users/Asha/anc", State: "C:/Users/Asha/anc/state"}
	before := Manifest{Dir: `C:\Users\Asha\anc`, State: `C:\Users\Asha\anc\state`} // as it was written once
	share := Manifest{Dir: "//server/share/anc", State: "//server/share/anc/state"}
	for _, c := range []struct {
		what string
		m    Manifest
		old  string
		want string
	}{
		{"of the state", unix, "/home/asha/anc/state/files/a.csv", "/var/lib/anc/files/a.csv"},
		{"of the project", unix, "/home/asha/anc/inbox/a.csv", "/srv/anc/inbox/a.csv"},
		{"of another folder", unix, "/home/asha/anc2/a.csv", "/home/asha/anc2/a.csv"},
		{"out of the folder", unix, "/home/asha/anc/../a.csv", "/home/asha/anc/../a.csv"},
		{"with a backslash in its name", unix, `/home/asha/anc/inbox/a\b.csv`, `/srv/anc/inbox/a\b.csv`},
		{"none", unix, "", ""},
		{"of a state on Windows", windows, `C:\Users\Asha\anc\state\files\a.csv`, "/var/lib/anc/files/a.csv"},
		{"of a project on Windows", windows, `c:\users\asha\anc\inbox\a.csv`, "/srv/anc/inbox/a.csv"},
		{"of another folder on Windows", windows, `D:\inbox\a.csv`, `D:\inbox\a.csv`},
		{"out of the folder on Windows", windows, `C:\Users\Asha\anc\..\a.csv`, `C:\Users\Asha\anc\..\a.csv`},
		{"of a manifest with backslashes", before, `C:\Users\Asha\anc\state\files\a.csv`, "/var/lib/anc/files/a.csv"},
		{"of a share", share, `\\server\share\anc\inbox\a.csv`, "/srv/anc/inbox/a.csv"},
		{"of a manifest that does not say", Manifest{}, "/home/asha/a.csv", "/home/asha/a.csv"},
	} {
		if got := p.moved(c.m, c.old); filepath.ToSlash(got) != filepath.ToSlash(c.want) {
			t.Errorf("a file %s: %s, want %s", c.what, got, c.want)
		}
	}
}
