package tabular

import (
	"strings"
)

// repeatGroup is one repeat group of the form.
type repeatGroup struct {
	name   string
	header []string
	path   []string // in the body
	parent *repeatGroup
	nested bool  // it is inside of another group
	levels []int // columns number__0, number__1...
	own    int   // column with the row's own key, of other linkages; -1 without
	above  int   // column with the key of the row that it belongs to
	table  int   // column with the name of the table where that row is; -1 without
	named  bool  // a row has said where the form has the group
}

// below is where a group is in the items of the group around it.
func (g *repeatGroup) below(around *repeatGroup) []string {
	if len(g.levels) == 0 {
		return g.path
	}
	return g.path[len(around.path):]
}

// wholeNumber gives the number of a row without the fraction that some programs add.
func wholeNumber(cell string) string { return strings.TrimSuffix(strings.TrimSpace(cell), ".0") }

// item takes what lies under the group's path out of a row's body: all of the row but its numbers
// where the columns are no paths.
func (g *repeatGroup) item(body map[string]any) map[string]any {
	at := body
	for _, key := range g.path {
		next, ok := at[key].(map[string]any)
		if !ok {
			at = nil
			break
		}
		at = next
	}
	if at != nil {
		return at
	}
	item := map[string]any{}
	for key, v := range body {
		if key != numberColumn && !strings.HasPrefix(key, parentPrefix) {
			item[key] = v
		}
	}
	return item
}

// repeatPath finds where a form has the group: the path that the columns share, ending with the
// group's name where the table is called after it ("Repeat: child").
func repeatPath(name string, header []string) []string {
	if i := strings.LastIndexAny(name, ":-"); i >= 0 {
		name = name[i+1:]
	}
	name = strings.TrimSpace(name)
	var shared []string
	for _, h := range header {
		path := formPath(h)
		if path == nil {
			continue
		}
		path = path[:len(path)-1]
		if shared == nil {
			shared = path
		}
		n := 0
		for n < len(shared) && n < len(path) && shared[n] == path[n] {
			n++
		}
		shared = shared[:n]
	}
	if len(shared) < 2 {
		return []string{name}
	}
	tail := name[strings.LastIndex(name, ".")+1:]
	for i := len(shared) - 1; i > 0; i-- {
		if strings.EqualFold(shared[i], tail) {
			return shared[:i+1]
		}
	}
	return shared
}
