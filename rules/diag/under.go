package diag

import "path"

// Under gives the report with its files as seen from above the project: prefix is the project's
// folder there, with slashes, such as forms/culvert. An empty one or "." changes nothing.
func (r Report) Under(prefix string) Report {
	if prefix == "" || prefix == "." {
		return r
	}
	under := func(p Place) Place {
		if p.File != "" {
			p.File = path.Join(prefix, p.File)
		}
		return p
	}
	out := r
	out.Findings, out.Files = make(List, len(r.Findings)), make([]string, len(r.Files))
	own := map[string]string{}
	note := func(p Place) Place {
		q := under(p)
		own[q.File] = p.File
		return q
	}
	for i, d := range r.Findings {
		d.Place = note(d.Place)
		related := make([]Related, len(d.Related))
		for n, rel := range d.Related {
			related[n] = Related{Place: note(rel.Place), Message: rel.Message}
		}
		d.Related = related
		if d.Fix != nil {
			fix := *d.Fix
			fix.Place = note(fix.Place)
			d.Fix = &fix
		}
		out.Findings[i] = d
	}
	for i, f := range r.Files {
		out.Files[i] = note(Place{File: f}).File
	}
	if read := r.Source; read != nil {
		out.Source = func(file string) ([]byte, bool) { return read(own[file]) }
	}
	return out
}
