// Package pages reads the templates of pages that share a frame.
package pages

import (
	"fmt"
	"html/template"
	"io/fs"
	"path"
	"strings"
)

// Parse reads the pages in a folder templates, by name: each in the frame layout.html, with what the
// file of the name given in parts defines for all of them.
func Parse(files fs.FS, parts string, functions ...template.FuncMap) (map[string]*template.Template, error) {
	names, err := fs.Glob(files, "templates/*.html")
	if err != nil {
		return nil, fmt.Errorf("list the pages: %w", err)
	}
	pages := map[string]*template.Template{}
	for _, file := range names {
		name := strings.TrimSuffix(path.Base(file), ".html")
		if name == "layout" || name == parts {
			continue
		}
		t := template.New("layout.html")
		for _, f := range functions {
			t.Funcs(f)
		}
		if t, err = t.ParseFS(files, "templates/layout.html", "templates/"+parts+".html", file); err != nil {
			return nil, fmt.Errorf("read the page %s: %w", name, err)
		}
		pages[name] = t
	}
	return pages, nil
}
