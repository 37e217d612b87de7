package metadata

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/culvert/culvert/actions/dhis2/sandbox/rest"
)

// paged cuts a page out of a list. A page beyond the last is empty and says that it is the last.
func (c *call) paged(kind string, objs []object) ([]object, object, *rest.Problem) {
	page, p := c.listNumber("page", 1)
	if p != nil {
		return nil, nil, p
	}
	size, p := c.listNumber("pageSize", rest.DefaultPageSize)
	if p != nil {
		return nil, nil, p
	}
	if size < 0 && c.Version >= 42 {
		if page > 1 {
			return nil, nil, rest.Refuse(http.StatusBadRequest, "", "first-result value cannot be negative : %d", (page-1)*size)
		}
		return nil, nil, rest.Refuse(http.StatusBadRequest, "", "max-results cannot be negative")
	}
	page, total, none := max(page, 1), len(objs), size == 0
	size = max(size, 1)
	pages := (total + size - 1) / size
	if kind == "users" && c.Version.LastPage() {
		page = max(min(page, pages), 1)
	}
	from := min((page-1)*size, total)
	out := objs[from:min(from+size, total)]
	if none {
		out = nil // pages of nothing, counted as pages of one
	}
	page = max(min(page, pages), 1)
	pager := object{"page": page, "total": total, "pageSize": size, "pageCount": pages}
	if page < pages {
		pager["nextPage"] = c.pageLink(page+1, size)
	}
	if page > 1 {
		pager["prevPage"] = c.pageLink(page-1, size)
	}
	return out, pager, nil
}

func (c *call) pageLink(page, size int) string {
	var parts []string
	if page > 1 {
		parts = append(parts, "page="+strconv.Itoa(page))
	}
	if size != rest.DefaultPageSize {
		parts = append(parts, "pageSize="+strconv.Itoa(size))
	}
	for _, p := range rest.QueryInOrder(c.R.URL.RawQuery) {
		if p[0] != "page" && p[0] != "pageSize" {
			parts = append(parts, url.QueryEscape(p[0])+"="+url.QueryEscape(p[1]))
		}
	}
	link := c.Base() + c.R.URL.Path
	if len(parts) > 0 {
		link += "?" + strings.Join(parts, "&")
	}
	return link
}
