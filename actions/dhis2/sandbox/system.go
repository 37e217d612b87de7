package sandbox

import (
	"net/http"
	"sort"
	"strconv"
	"strings"
)

// system answers what is below /api/system.
func (c *call) system() {
	c.w.Header().Set("Cache-Control", "no-cache, no-store, max-age=0, must-revalidate")
	switch c.at(1) {
	case "info":
		if c.method(http.MethodGet) {
			c.info()
		}
	case "ping":
		c.ping()
	case "id", "uid":
		n, err := strconv.Atoi(c.query.Get("limit"))
		if err != nil || n < 1 {
			n = 1
		}
		codes := make([]string, min(n, 10000))
		for i := range codes {
			codes[i] = newUID()
		}
		c.srv.json(c.w, http.StatusOK, object{"codes": codes})
	case "tasks":
		c.task()
	case "taskSummaries":
		c.taskSummary()
	default:
		c.srv.notFound(c.w, c.r)
	}
}

func (c *call) ping() {
	c.w.Header().Set("Content-Type", c.srv.manners.jsonType())
	_, _ = c.w.Write([]byte("pong"))
}

func (c *call) info() {
	now := c.srv.now()
	answer := object{"contextPath": base(c.r), "calendar": "iso8601", "dateFormat": "yyyy-mm-dd", "serverDate": stamp(now), "serverTimeZoneId": "Etc/UTC",
		"serverTimeZoneDisplayName": "Coordinated Universal Time", "version": c.srv.manners.release(), "systemName": "DHIS 2",
		"systemId": "culvert-sandbox", "instanceBaseUrl": base(c.r), "isMetadataVersionEnabled": false, "readReplicaCount": 0}
	if c.user.super {
		answer["revision"], answer["buildTime"] = "sandbox", stamp(c.srv.catalog.loaded)
		answer["encryption"], answer["emailConfigured"], answer["redisEnabled"], answer["readOnlyMode"] = true, false, false, "off"
		answer["environmentVariable"], answer["fileStoreProvider"] = "DHIS2_HOME", "filesystem"
	}
	if len(c.query["fields"]) > 0 {
		set, ok := c.fields("*")
		if !ok {
			return
		}
		answer = project(answer, set, plainSource{})
	}
	c.srv.json(c.w, http.StatusOK, answer)
}

// me answers /api/me: the user, with what it may do.
func (c *call) me() {
	if !c.method(http.MethodGet) {
		return
	}
	if len(c.path) > 1 {
		c.aboutMe()
		return
	}
	cat := c.srv.catalog
	e := cat.byID[c.user.uid]
	me := object{}
	for k, v := range e.obj {
		me[k] = v
	}
	idsOf := func(items []string) []any {
		out := []any{}
		for _, id := range items {
			out = append(out, object{"id": id})
		}
		return out
	}
	programs, dataSets := []any{}, []any{}
	for _, o := range cat.objects[kindProgram] {
		if cat.programs[str(o, "id")].sharing.dataRead(c.user) {
			programs = append(programs, str(o, "id"))
		}
	}
	for _, o := range cat.objects[kindDataSet] {
		if cat.dataSets[str(o, "id")].sharing.dataWrite(c.user) {
			dataSets = append(dataSets, str(o, "id"))
		}
	}
	me["username"], me["authorities"], me["programs"], me["dataSets"] = c.user.username, c.authorityNames(), programs, dataSets
	me["organisationUnits"], me["dataViewOrganisationUnits"], me["teiSearchOrganisationUnits"] = idsOf(c.user.capture), idsOf(c.user.view), idsOf(c.user.search)
	me["name"] = strings.TrimSpace(c.user.firstName + " " + c.user.surname)
	me["displayName"] = me["name"]
	set, ok := c.fields("*")
	if !ok {
		return
	}
	c.srv.json(c.w, http.StatusOK, project(me, set, meSource{c.view()}))
}

// aboutMe answers what is below /api/me: what the user may do, and its settings.
func (c *call) aboutMe() {
	switch what := c.at(1); {
	case (what == "authorization" || what == "authorities") && len(c.path) == 2:
		c.srv.json(c.w, http.StatusOK, c.authorityNames())
	case (what == "authorization" || what == "authorities") && len(c.path) == 3:
		c.srv.json(c.w, http.StatusOK, c.user.may(c.at(2)))
	case what == "settings" && len(c.path) <= 3:
		c.path = append([]string{"userSettings"}, c.path[2:]...)
		c.settings()
	default:
		c.srv.notFound(c.w, c.r)
	}
}

// meSource gives the user's own properties as they are, and those of what it points to from the metadata.
type meSource struct{ metadataView }

func (s meSource) property(o object, name string) (any, bool) {
	if v, ok := o[name]; ok && v != nil {
		return v, true
	}
	return s.metadataView.property(o, name)
}

func (s meSource) names(o object, preset string) []string {
	if _, ok := o["authorities"]; ok {
		return plainSource{}.names(o, preset)
	}
	return s.metadataView.names(o, preset)
}

func (c *call) authorityNames() []any {
	var names []string
	if c.user.super {
		names = c.srv.manners.authorities()
	} else {
		for a := range c.user.authorities {
			names = append(names, a)
		}
	}
	sort.Strings(names)
	out := make([]any, len(names))
	for i, n := range names {
		out[i] = n
	}
	return out
}

// metadata answers /api/metadata: an export of all that the sandbox holds, or of the collections asked for with <collection>=true.
func (c *call) metadata() {
	if !c.method(http.MethodGet, http.MethodPost) {
		return
	}
	if c.r.Method == http.MethodPost {
		c.importMetadata()
		return
	}
	set, ok := c.fields(":owner")
	if !ok {
		return
	}
	src, p := c.withoutDefaults(c.view())
	if p != nil {
		c.srv.refused(c.w, p)
		return
	}
	wanted := c.exported()
	answer := object{"system": object{"id": "culvert-sandbox", "rev": "sandbox", "version": c.srv.manners.release(), "date": stamp(c.srv.now())}}
	for _, kind := range c.srv.catalog.kinds {
		w := wanted[kind]
		if len(wanted) > 0 && w == nil {
			continue
		}
		items, p := c.exportOf(kind, w, set, src)
		if p != nil {
			c.srv.refused(c.w, p)
			return
		}
		if len(items) > 0 {
			answer[kind] = items
		}
	}
	c.srv.json(c.w, http.StatusOK, answer)
}
