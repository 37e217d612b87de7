package sandbox

import (
	"encoding/json"
	"fmt"
	"net/url"
	"sort"
	"strings"

	"github.com/culvert/culvert/actions/dhis2/sandbox/catalog"
)

// timesOfServers are fields that are a server's own.
var timesOfServers = catalog.SetOf(strings.Fields(`lastUpdated created createdAt updatedAt createdAtClient
updatedAtClient lastupdated time jobConfiguration href lastUpdatedBy createdBy updatedBy storedBy etag devMessage
timingsStats`))

// plainOf is a value without what is a server's own, its lists as sorted sets.
func plainOf(v any) any {
	switch x := v.(type) {
	case map[string]any:
		out := map[string]any{}
		for k, it := range x {
			if timesOfServers[k] {
				continue
			}
			codes, isList := it.([]any)
			address, isText := it.(string)
			switch {
			case k == "codes" && isList:
				out[k] = len(codes)
			case isText && (k == "nextPage" || k == "prevPage"):
				out[k] = linkOf(address)
			default:
				out[k] = plainOf(it)
			}
		}
		return out
	case []any:
		out := make([]any, len(x))
		for i := range x {
			out[i] = plainOf(x[i])
		}
		sort.Slice(out, func(i, j int) bool { return keyOf(out[i]) < keyOf(out[j]) })
		return out
	}
	return v
}

// linkOf is the address of another page with its parameters in whatever order.
func linkOf(address string) []any {
	u, err := url.Parse(address)
	if err != nil {
		return []any{address}
	}
	var params []string
	for _, p := range strings.Split(u.RawQuery, "&") {
		if text, err := url.QueryUnescape(p); err == nil {
			params = append(params, text)
		}
	}
	sort.Strings(params)
	return []any{u.Path, params}
}

func keyOf(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		return err.Error()
	}
	return string(b)
}

func countsOf(v any) map[string]any {
	out := map[string]any{}
	m, _ := v.(map[string]any)
	for k, n := range m {
		if num, ok := n.(json.Number); ok && !strings.Contains(num.String(), ".") {
			out[k] = n
		}
	}
	return out
}

func itemsOf(v any) []map[string]any {
	l, _ := v.([]any)
	var out []map[string]any
	for _, it := range l {
		if m, ok := it.(map[string]any); ok {
			out = append(out, m)
		}
	}
	return out
}

// setFrom makes sorted distinct tuples of some fields.
func setFrom(v any, fields ...string) []string {
	seen := map[string]bool{}
	for _, m := range itemsOf(v) {
		tuple := make([]any, len(fields))
		for i, f := range fields {
			tuple[i] = m[f]
		}
		seen[keyOf(tuple)] = true
	}
	out := []string{}
	for k := range seen {
		out = append(out, k)
	}
	sort.Strings(out)
	return out
}

// meaningOf is what of an answer has meaning: statuses, counts, codes with the object each
// concerns, what was written, and the data of reads.
func meaningOf(a answer) map[string]any {
	contentType, _, _ := strings.Cut(a.Headers["content-type"], ";")
	m := map[string]any{"status": a.Status, "type": ""}
	switch {
	case strings.Contains(contentType, "html"):
		m["type"] = "html"
		return m
	case strings.Contains(contentType, "json"):
		m["type"] = "json"
	case a.Body != "" && a.Body != nil:
		m["type"] = "text"
	}
	if l, ok := a.Body.([]any); ok {
		if first := itemsOf(l); len(first) > 0 && first[0]["category"] != nil {
			done := false
			for _, it := range first {
				done = done || it["completed"] == true
			}
			m["list"] = done
			return m
		}
		m["list"] = plainOf(l)
		return m
	}
	b, ok := a.Body.(map[string]any)
	if !ok {
		return m
	}
	if v, ok := b["validationReport"].(map[string]any); ok {
		return trackerMeaning(m, b, v)
	}
	_, isMessage := b["httpStatusCode"]
	_, hasConflicts := b["conflicts"]
	_, hasCount := b["importCount"]
	if isMessage || hasConflicts || hasCount {
		r, ok := b["response"].(map[string]any)
		if !ok {
			r = b
		}
		m["result"], m["code"], m["inner"], m["counts"], m["rejected"], m["kind"] = b["status"], b["errorCode"], r["status"],
			countsOf(r["importCount"]), r["rejectedIndexes"], r["responseType"]
		m["complete"] = r["dataSetComplete"]
		m["conflicts"] = setFrom(r["conflicts"], "errorCode", "property", "indexes")
		return m
	}
	m["body"] = plainOf(b)
	if v, ok := b["version"].(string); ok && b["serverDate"] != nil {
		parts := strings.Split(v, ".")
		m["body"] = map[string]any{"version": strings.Join(parts[:min(2, len(parts))], "."), "calendar": b["calendar"]}
	}
	return m
}

func trackerMeaning(m, b, v map[string]any) map[string]any {
	bundle, has := b["bundleReport"].(map[string]any)
	m["result"], m["stats"], m["bundle"] = b["status"], countsOf(b["stats"]), has
	m["errors"] = setFrom(v["errorReports"], "errorCode", "trackerType", "uid")
	m["warnings"] = setFrom(v["warningReports"], "warningCode", "trackerType", "uid")
	written, types := map[string]any{}, map[string]any{}
	kinds, _ := bundle["typeReportMap"].(map[string]any)
	for kind, r := range kinds {
		rep, _ := r.(map[string]any)
		var uids []string
		for _, o := range itemsOf(rep["objectReports"]) {
			uids = append(uids, fmt.Sprint(o["uid"]))
		}
		if len(uids) > 0 {
			sort.Strings(uids)
			written[kind] = uids
		}
		counts := countsOf(rep["stats"])
		for _, n := range counts {
			if fmt.Sprint(n) != "0" {
				types[kind] = counts
			}
		}
	}
	m["written"], m["types"] = written, types
	return m
}
