package project

import (
	"bytes"
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/culvert/culvert/rules/diag"
)

// FixNames applies the fixes of all findings to the rule files and gives how many there were. A
// file is replaced as a whole or not at all.
func FixNames(p *Project) (int, error) {
	byFile := map[string][]*diag.Fix{}
	for i := range p.Findings {
		if f := p.Findings[i].Fix; f != nil {
			byFile[f.Place.File] = append(byFile[f.Place.File], f)
		}
	}
	done := 0
	for file, fixes := range byFile {
		text, n, err := apply(p.Texts[file], fixes)
		if err != nil {
			return done, fmt.Errorf("fix %s: %w", file, err)
		}
		full := filepath.Join(p.Dir, filepath.FromSlash(file))
		if err := replaceFile(full, text); err != nil {
			return done, fmt.Errorf("fix %s: %w", file, err)
		}
		done += n
	}
	return done, nil
}

// apply replaces the fixes' places, last first, so that earlier places stay right.
func apply(text []byte, fixes []*diag.Fix) ([]byte, int, error) {
	slices.SortFunc(fixes, func(a, b *diag.Fix) int {
		x, y := a.Place.Range.Start, b.Place.Range.Start
		return cmp.Or(cmp.Compare(y.Line, x.Line), cmp.Compare(y.Column, x.Column))
	})
	lines := bytes.SplitAfter(text, []byte("\n"))
	n := 0
	var before diag.Position
	for _, f := range fixes {
		r := f.Place.Range
		if r.Start == before {
			continue
		}
		before = r.Start
		if r.Start.Line != r.End.Line || r.Start.Line < 1 || r.Start.Line > len(lines) {
			return nil, 0, fmt.Errorf("line %d: the name runs over several lines: fix it by hand", r.Start.Line)
		}
		line := []rune(string(lines[r.Start.Line-1]))
		if r.End.Column-1 > len(line) || r.Start.Column > r.End.Column {
			return nil, 0, fmt.Errorf("line %d: the file changed while it was being fixed: try again", r.Start.Line)
		}
		recoveriesTried := slices.Concat(line[:r.Start.Column-1], []rune(f.Text), line[r.End.Column-1:])
		lines[r.Start.Line-1] = []byte(string(recoveriesTried))
		n++
	}
	return bytes.Join(lines, nil), n, nil
}

// replaceFile writes a file beside the old one and puts it in its place.
func replaceFile(path string, text []byte) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	tmp, err := os.CreateTemp(filepath.Dir(path), ".culvert-*")
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(tmp.Name()) }() // gone already when it was put in place
	if _, err := tmp.Write(text); err != nil {
		_ = tmp.Close() // the write's error is the one to tell
		return err
	}
	if err := tmp.Chmod(info.Mode().Perm()); err != nil {
		_ = tmp.Close()
		return err
	}
	if err := tmp.Close(); err != nil {
		return err
	}
	return os.Rename(tmp.Name(), path)
}
