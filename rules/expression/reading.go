package expression

// reading gathers which fields an expression reads.
type reading struct {
	all     [][][]string
	choices int // how many ?? and coalesce are around
}

// note takes a field that is read, by the names on the way to it.
func (r *reading) note(names []string) {
	if last := len(r.all) - 1; r.choices > 0 {
		r.all[last] = append(r.all[last], names)
		return
	}
	r.all = append(r.all, [][]string{names})
}

// choice begins a part of which one field is enough, until the function that it gives is called.
func (r *reading) choice() (end func()) {
	if r.choices == 0 {
		r.all = append(r.all, nil)
	}
	r.choices++
	return func() { r.choices-- }
}
