package commcare

import (
	"bytes"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/culvert/culvert/rules/diag"
	"github.com/culvert/culvert/sources/httpget"
)

// locationColumns are those that every location has; the custom fields of the project space follow them.
var locationColumns = []string{"location_id", "name", "site_code", "external_id", "location_type", "parent",
	"latitude", "longitude"}

const (
	locationPage = 1000
	maxLocations = 1_000_000
)

// SyncLocations writes the locations of a project space as a reference table, for lookups that go
// from a location to an org unit. It tells how many there are, and whether the table changed: one
// that did not is left as it is.
func SyncLocations(ctx context.Context, connection Connection, path string, log *slog.Logger) (n int, changed bool,
	err error) {
	c, err := newClient(connection, log)
	if err != nil {
		return 0, false, err
	}
	locations, err := c.locations(ctx)
	if err != nil {
		return 0, false, fmt.Errorf("read the locations of %s: %w", connection.Domain, err)
	}
	table, err := locationTable(locations)
	if err != nil {
		return 0, false, fmt.Errorf("write the locations of %s: %w", connection.Domain, err)
	}
	changed, err = replace(path, table)
	if err != nil {
		return 0, false, fmt.Errorf("write the locations of %s: %w", connection.Domain, err)
	}
	return len(locations), changed, nil
}

// locations reads all locations, each as its cells by column.
func (c *client) locations(ctx context.Context) ([]map[string]string, error) {
	at := c.base.JoinPath("api/v0.5/location/")
	at.RawQuery = url.Values{"limit": {strconv.Itoa(locationPage)}}.Encode()
	var out []map[string]string
	seen := map[string]bool{}
	for len(out) < maxLocations && !seen[at.String()] {
		seen[at.String()] = true
		reply, err := c.get.Get(ctx, at)
		if err != nil {
			return nil, err
		}
		list, next, err := decodeLocations(reply.Body)
		if err != nil {
			return nil, err
		}
		out = append(out, list...)
		if next == "" {
			return out, nil
		}
		if at, err = httpget.Follow(at, next); err != nil {
			return nil, err
		}
	}
	return nil, &httpget.Error{Problem: diag.Problem{Message: "the list of locations has no end",
		Hint: "report this to the administrators of CommCare HQ"}}
}

// decodeLocations reads a page of the location list (CommCare HQ's Location API), of its older and its newer form.
func decodeLocations(text []byte) (locations []map[string]string, next string, err error) {
	reply, err := decode(text)
	if err != nil {
		return nil, "", err
	}
	meta, ok := reply["meta"].(map[string]any)
	list, also := reply["objects"].([]any)
	if !ok || !also {
		return nil, "", replyError("it has no meta and objects")
	}
	next, _ = meta["next"].(string)
	for _, v := range list {
		o, ok := v.(map[string]any)
		if !ok {
			return nil, "", replyError("one of its items is no object")
		}
		l := location(o)
		if l["location_id"] == "" {
			return nil, "", replyError("one of its locations has no id")
		}
		locations = append(locations, l)
	}
	return locations, next, nil
}

// location gives the cells of one location. Type and parent are named by their code or id, which
// stand at the end of an address in the older form.
func location(o map[string]any) map[string]string {
	first := func(keys ...string) string {
		for _, key := range keys {
			if s := cell(o[key]); s != "" {
				return s
			}
		}
		return ""
	}
	end := func(s string) string {
		if !strings.Contains(s, "/") {
			return s
		}
		return path.Base(s)
	}
	cells := map[string]string{
		"location_id": first("location_id", "id"), "name": first("name"), "site_code": first("site_code"),
		"external_id":   first("external_id"),
		"location_type": end(first("location_type_code", "location_type")),
		"parent":        end(first("parent_location_id", "parent")),
		"latitude":      first("latitude"), "longitude": first("longitude"),
	}
	custom, _ := o["location_data"].(map[string]any)
	for name, v := range custom {
		if _, taken := cells[name]; !taken {
			cells[name] = cell(v)
		}
	}
	return cells
}

func cell(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64)
	case bool:
		return strconv.FormatBool(v)
	}
	return ""
}

// locationTable gives the locations as CSV, in the order of their ids, so that only what changed differs in git.
func locationTable(locations []map[string]string) ([]byte, error) {
	custom := map[string]bool{}
	for _, l := range locations {
		for name := range l {
			if !slices.Contains(locationColumns, name) {
				custom[name] = true
			}
		}
	}
	columns := append(slices.Clone(locationColumns), slices.Sorted(maps.Keys(custom))...)
	slices.SortStableFunc(locations, func(a, b map[string]string) int {
		return strings.Compare(a["location_id"],
			b["location_id"])
	})
	var b bytes.Buffer
	w := csv.NewWriter(&b)
	row := make([]string, len(columns))
	for i, name := range columns {
		row[i] = harmless(name)
	}
	if err := w.Write(row); err != nil {
		return nil, err
	}
	for _, l := range locations {
		for i, name := range columns {
			row[i] = harmless(l[name])
		}
		if err := w.Write(row); err != nil {
			return nil, err
		}
	}
	w.Flush()
	return b.Bytes(), w.Error()
}

// harmless keeps a spreadsheet from taking a cell for a formula. Numbers with a sign stay as they are.
func harmless(s string) string {
	if s == "" || !strings.ContainsRune("=+-@\t\r", rune(s[0])) {
		return s
	}
	if _, err := strconv.ParseFloat(s, 64); err == nil {
		return s
	}
	return "'" + s
}

// replace writes a file in one step, unless it holds the same already.
func replace(path string, text []byte) (bool, error) {
	old, err := os.ReadFile(path)
	if err == nil && bytes.Equal(old, text) {
		return false, nil
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return false, err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return false, err
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".locations-*")
	if err != nil {
		return false, err
	}
	_, err = f.Write(text)
	err = errors.Join(err, f.Chmod(0o644), f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return false, errors.Join(err, os.Remove(f.Name()))
	}
	return true, nil
}
