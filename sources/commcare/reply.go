package commcare

import (
	"fmt"
	"time"

	"github.com/culvert/culvert/rules/diag"
	"github.com/culvert/culvert/sources/httpget"
	"github.com/culvert/culvert/sources/tree"
)

// page is some forms or cases of a reply, in the order of their indexing.
type page struct {
	items []item
	total int    // forms or cases that match, as CommCare counts them; 0 when it does not say
	next  string // address of the next page, "" when this is the last one
}

// item is one form or case.
type item struct {
	id      string
	indexed time.Time
	body    map[string]any
}

func (p page) bodies() []any {
	out := make([]any, len(p.items))
	for i := range p.items {
		out[i] = p.items[i].body
	}
	return out
}

const maxDepth = 128

// replyError says that a reply is not what CommCare HQ sends. It holds no data.
func replyError(what string) error {
	return fmt.Errorf("the reply is not a list of CommCare HQ: %s; check address and project space of the connection",
		what)
}

func decode(text []byte) (map[string]any, error) {
	v, err := tree.JSON(text, tree.Limits{Depth: maxDepth})
	if err != nil {
		return nil, replyError(err.Error())
	}
	reply, ok := v.(map[string]any)
	if !ok {
		return nil, replyError("it is no object")
	}
	return reply, nil
}

// decodeForms reads a page of the form list (CommCare HQ's Form Data API: meta and objects).
func decodeForms(text []byte) (page, error) {
	reply, err := decode(text)
	if err != nil {
		return page{}, err
	}
	meta, ok := reply["meta"].(map[string]any)
	if !ok {
		return page{}, replyError("it has no meta")
	}
	p := page{total: count(meta["total_count"])}
	p.next, _ = meta["next"].(string)
	list, ok := reply["objects"].([]any)
	if !ok {
		return page{}, replyError("it has no objects")
	}
	return p, p.take(list, "id", func(form map[string]any) map[string]any { return form })
}

// decodeCases reads a page of the case list (CommCare HQ's Case API, version 2: matching_records, cases and next).
func decodeCases(text []byte) (page, error) {
	reply, err := decode(text)
	if err != nil {
		return page{}, err
	}
	list, ok := reply["cases"].([]any)
	if !ok {
		return page{}, replyError("it has no cases")
	}
	p := page{total: count(reply["matching_records"])}
	p.next, _ = reply["next"].(string)
	return p, p.take(list, "case_id", forwarded)
}

func (p *page) take(list []any, key string, shape func(map[string]any) map[string]any) error {
	for _, v := range list {
		body, ok := v.(map[string]any)
		if !ok {
			return replyError("one of its items is no object")
		}
		id, ok := body[key].(string)
		if !ok || id == "" {
			return replyError("one of its items has no " + key)
		}
		text, _ := body["indexed_on"].(string)
		indexed, err := parseTime(text)
		if err != nil {
			return replyError("one of its items has no time of indexing")
		}
		p.items = append(p.items, item{id: id, indexed: indexed, body: shape(body)})
	}
	return nil
}

// check finds lists that are not in the order of indexing, or that begin before what was asked for:
// the place of a pull would mean nothing then.
func (p page) check(from time.Time) error {
	before := from.Truncate(time.Microsecond)
	for _, it := range p.items {
		if it.indexed.Before(before) {
			return &httpget.Error{Problem: diag.Problem{
				Message: "CommCare HQ does not list in the order of indexing from the time that it was " +
					"asked for", Hint: "an older HQ cannot do so: update it"}}
		}
		before = it.indexed
	}
	return nil
}

func count(v any) int {
	n, ok := v.(float64)
	if !ok || n < 0 || n > 1e12 {
		return 0
	}
	return int(n)
}

// forwarded gives a case the shape in which data forwarding sends it, so that one rule takes both:
// what the list keeps beside the properties stands among them too, and times have the names that
// forwarding gives them.
func forwarded(c map[string]any) map[string]any {
	properties, ok := c["properties"].(map[string]any)
	if !ok {
		properties = map[string]any{}
		c["properties"] = properties
	}
	for _, name := range []string{"case_name", "case_type", "owner_id", "external_id", "date_opened"} {
		if _, there := properties[name]; !there {
			if v, ok := c[name]; ok {
				properties[name] = v
			}
		}
	}
	for from, to := range map[string]string{"last_modified": "date_modified",
		"server_last_modified": "server_date_modified"} {
		if _, there := c[to]; !there {
			if v, ok := c[from]; ok {
				c[to] = v
			}
		}
	}
	return c
}
