package scale

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// figures are what /metrics says, by name and labels as they stand there.
type figures map[string]float64

// scrape reads the runner's figures.
func scrape(ctx context.Context, client *http.Client, base string) (figures, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, base+"/metrics", nil)
	if err != nil {
		return nil, fmt.Errorf("ask for the figures: %w", err)
	}
	resp, err := client.Do(req)
	if err != nil {
		return nil, fmt.Errorf("ask for the figures: %w", err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("ask for the figures: %s", resp.Status)
	}
	f := figures{}
	lines := bufio.NewScanner(io.LimitReader(resp.Body, 8<<20))
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		name, value, ok := cutLast(lines.Text())
		if !ok || strings.HasPrefix(name, "#") {
			continue
		}
		if v, err := strconv.ParseFloat(value, 64); err == nil {
			f[name] = v
		}
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("read the figures: %w", err)
	}
	return f, nil
}

func cutLast(line string) (before, after string, ok bool) {
	at := strings.LastIndexByte(line, ' ')
	if at < 0 {
		return "", "", false
	}
	return line[:at], line[at+1:], true
}

// sum adds up the series of a name that hold all labels, each as it stands there: outcome="delivered".
func (f figures) sum(name string, labels ...string) (total float64) {
series:
	for series, v := range f {
		if series != name && !strings.HasPrefix(series, name+"{") {
			continue
		}
		for _, l := range labels {
			if !strings.Contains(series, l) {
				continue series
			}
		}
		total += v
	}
	return total
}

// settled is how many records and rows have been settled.
func (f figures) settled() float64 {
	return f.sum("culvert_records_settled_total", `outcome="delivered"`) +
		f.sum("culvert_records_settled_total", `outcome="unchanged"`)
}

// within gives the smallest bound of the lag's buckets that a share of what was delivered since before lies in.
func (f figures) within(before figures, share float64) time.Duration {
	const name = "culvert_delivery_lag_seconds"
	total := f.sum(name+"_count") - before.sum(name+"_count")
	best := 0.0
	for series := range f {
		_, after, ok := strings.Cut(series, `,le="`)
		if !ok || !strings.HasPrefix(series, name+"_bucket{") {
			continue
		}
		text, _, _ := strings.Cut(after, `"`)
		bound, err := strconv.ParseFloat(text, 64)
		if err != nil || text == "+Inf" {
			continue
		}
		in := f.sum(name+"_bucket", `le="`+text+`"`) - before.sum(name+"_bucket", `le="`+text+`"`)
		if in >= share*total && (best == 0 || bound < best) {
			best = bound
		}
	}
	return time.Duration(best * float64(time.Second))
}

// folderSize adds up the files of a folder.
func folderSize(dir string) (total int64) {
	_ = filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return nil // gone meanwhile: a run moves its files
		}
		if info, err := d.Info(); err == nil {
			total += info.Size()
		}
		return nil
	})
	return total
}
