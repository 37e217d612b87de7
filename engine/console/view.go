package console

import (
	"strings"
	"time"

	"github.com/culvert/culvert/engine/access"
)

// view is what every page gets.
type view struct {
	Title, Project, Version, Page string
	Path                          string // of the request
	Trail                         []link // the pages above this one
	Now                           time.Time
	Refresh                       int          // seconds after which a page shows something new; 0: never
	Onward                        string       // the page that this one goes on to by itself; empty: none
	Notice, Alert                 string       // what was done, and what could not be
	User                          *access.User // nil: nobody has logged in
	Status                        int          // 0: 200
	Data                          any
}

// link leads to a page; Here marks the one that is shown, or that it belongs to.
type link struct {
	Name, Path string
	Here       bool
}

// Operator tells whether the visitor may look into records and act on them.
func (v view) Operator() bool { return v.User != nil && v.User.Role >= access.Operator }

// Admin tells whether the visitor may also see who did what.
func (v view) Admin() bool { return v.User != nil && v.User.Role >= access.Admin }

// Navigation lists the pages that the visitor may see.
func (v view) Navigation() []link {
	list := []link{{Name: "Overview", Path: "/", Here: v.Path == "/"}}
	for _, name := range []string{"Failures", "Records", "Files", "Rules", "Servers", "Audit"} {
		if name == "Audit" && !v.Admin() {
			continue
		}
		path := Prefix + strings.ToLower(name)
		list = append(list, link{Name: name, Path: path, Here: v.Path == path || strings.HasPrefix(v.Path, path+"/")})
	}
	return list
}
