package sandbox

import (
	"net/http"
	"strconv"
)

// system answers what is below /api/system.
func (c *apiCall) system() {
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
		c.json(http.StatusOK, object{"codes": codes})
	case "tasks":
		c.task()
	case "taskSummaries":
		c.taskSummary()
	default:
		c.notFound()
	}
}

func (c *apiCall) ping() {
	c.w.Header().Set("Content-Type", c.manners.jsonType())
	_, _ = c.w.Write([]byte("pong"))
}

// aboutMe answers what is below /api/me: what the user may do, and its settings.
func (c *apiCall) aboutMe() {
	switch what := c.at(1); {
	case (what == "authorization" || what == "authorities") && len(c.path) == 2:
		c.json(http.StatusOK, c.authorityNames())
	case (what == "authorization" || what == "authorities") && len(c.path) == 3:
		c.json(http.StatusOK, c.user.may(c.at(2)))
	case what == "settings" && len(c.path) <= 3:
		c.path = append([]string{"userSettings"}, c.path[2:]...)
		c.settings()
	default:
		c.notFound()
	}
}

func (c *apiCall) info() {
	now := c.now()
	answer := object{"contextPath": c.base(), "calendar": "iso8601", "dateFormat": "yyyy-mm-dd", "serverDate": stamp(now), "serverTimeZoneId": "Etc/UTC",
		"serverTimeZoneDisplayName": "Coordinated Universal Time", "version": c.manners.release(), "systemName": "DHIS 2",
		"systemId": "culvert-sandbox", "instanceBaseUrl": c.base(), "isMetadataVersionEnabled": false, "readReplicaCount": 0}
	if c.user.super {
		answer["revision"], answer["buildTime"] = "sandbox", stamp(c.catalog.loaded)
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
	c.json(http.StatusOK, answer)
}
