package api

import (
	"net/http"
	"strconv"
	"time"

	"github.com/culvert/culvert/actions/dhis2/sandbox/dates"
	"github.com/culvert/culvert/actions/dhis2/sandbox/fields"
	"github.com/culvert/culvert/actions/dhis2/sandbox/ids"
)

// system answers what is below /api/system.
func (c *call) system() {
	c.W.Header().Set("Cache-Control", "no-cache, no-store, max-age=0, must-revalidate")
	switch c.At(1) {
	case "info":
		if c.Method(http.MethodGet) {
			c.info()
		}
	case "ping":
		c.ping()
	case "id", "uid":
		n, err := strconv.Atoi(c.Query.Get("limit"))
		if err != nil || n < 1 {
			n = 1
		}
		codes := make([]string, min(n, 10000))
		for i := range codes {
			codes[i] = ids.New()
		}
		c.JSON(http.StatusOK, object{"codes": codes})
	case "tasks":
		c.task()
	case "taskSummaries":
		c.taskSummary()
	default:
		c.NotFound()
	}
}

func (c *call) ping() {
	c.W.Header().Set("Content-Type", c.Version.JSONType())
	_, _ = c.W.Write([]byte("pong"))
}

// aboutMe answers what is below /api/me: what the user may do, and its settings.
func (c *call) aboutMe() {
	switch what := c.At(1); {
	case (what == "authorization" || what == "authorities") && len(c.Path) == 2:
		c.JSON(http.StatusOK, c.AuthorityNames())
	case (what == "authorization" || what == "authorities") && len(c.Path) == 3:
		c.JSON(http.StatusOK, c.User.May(c.At(2)))
	case what == "settings" && len(c.Path) <= 3:
		c.Path = append([]string{"userSettings"}, c.Path[2:]...)
		c.settings()
	default:
		c.NotFound()
	}
}

func (c *call) info() {
	now := c.Now()
	answer := object{"contextPath": c.Base(), "calendar": "iso8601", "dateFormat": "yyyy-mm-dd",
		"serverDate": dates.Stamp(now), "serverTimeZoneId": "Etc/UTC",
		"serverTimeZoneDisplayName": "Coordinated Universal Time", "version": c.Version.Release(), "systemName": "DHIS 2",
		"systemId": "culvert-sandbox", "instanceBaseUrl": c.Base(), "isMetadataVersionEnabled": false, "readReplicaCount": 0}
	answer["lastAnalyticsTableSuccess"], answer["lastAnalyticsTableRuntime"] = dates.Stamp(time.UnixMilli(0)), ""
	if began, took, ok := c.Jobs.LastSuccess("ANALYTICS_TABLE"); ok {
		answer["lastAnalyticsTableSuccess"] = dates.Stamp(began)
		answer["lastAnalyticsTableRuntime"] = time.UnixMilli(0).UTC().Add(took).Format("15:04:05.000")
	}
	if c.User.Super {
		answer["revision"], answer["buildTime"] = "sandbox", dates.Stamp(c.Catalog.Loaded)
		answer["encryption"], answer["emailConfigured"], answer["redisEnabled"], answer["readOnlyMode"] = true, false, false,
			"off"
		answer["environmentVariable"], answer["fileStoreProvider"] = "DHIS2_HOME", "filesystem"
	}
	if len(c.Query["fields"]) > 0 {
		set, ok := c.Fields("*")
		if !ok {
			return
		}
		answer = fields.Project(answer, set, fields.Plain{})
	}
	c.JSON(http.StatusOK, answer)
}
