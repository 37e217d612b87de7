package api

import (
	"fmt"
	"net/http"

	"github.com/culvert/culvert/actions/dhis2/sandbox/dates"
	"github.com/culvert/culvert/actions/dhis2/sandbox/ids"
	"github.com/culvert/culvert/actions/dhis2/sandbox/rest"
)

// messageConversation answers POST /api/messageConversations. Nobody reads what is sent: the sandbox has no inbox.
func (c *call) messageConversation() {
	if len(c.Path) > 1 {
		c.NotFound()
		return
	}
	if !c.Method(http.MethodPost) {
		return
	}
	root, p := c.JSONBody()
	if p != nil {
		c.Refused(p)
		return
	}
	for _, kind := range []string{"users", "userGroups", "organisationUnits"} {
		if n := root.Get(kind); n != nil && len(n.Items) > 0 {
			c.W.Header().Set("Location", c.Base()+"/api/messageConversations/"+ids.New())
			c.JSON(http.StatusCreated, rest.Message{HTTPStatus: "Created", HTTPStatusCode: http.StatusCreated, Status: "OK",
				Message: "Message conversation created"})
			return
		}
	}
	c.W.Header().Set("Cache-Control", "no-cache, private")
	c.Fail(http.StatusConflict, "E1004", "No recipients selected.")
}

// resourceTables answers POST and PUT /api/resourceTables and /api/resourceTables/analytics: the tables are made at
// once.
func (c *call) resourceTables() {
	kind := "RESOURCE_TABLE"
	if c.At(1) == "analytics" {
		kind = "ANALYTICS_TABLE"
	}
	if len(c.Path) > 2 || len(c.Path) == 2 && kind == "RESOURCE_TABLE" {
		c.NotFound()
		return
	}
	if !c.Method(http.MethodPost, http.MethodPut) || !c.Authorised("F_PERFORM_MAINTENANCE") {
		return
	}
	j := c.Jobs.Start(kind, c.Now())
	if kind == "ANALYTICS_TABLE" {
		c.srv.analytics.Make()
	}
	c.Jobs.Finish(j, c.Now(), nil, "Analytics tables updated: 00:00:00.000", nil)
	name := fmt.Sprintf("%s (%d)", kind, j.Started.UnixMilli())
	response := object{"name": name, "id": j.ID, "created": dates.Stamp(j.Started), "jobType": kind,
		"jobStatus":                "NOT_STARTED",
		"relativeNotifierEndpoint": "/api/system/tasks/" + kind + "/" + j.ID}
	switch {
	case c.Version == 42:
		response["responseType"] = "JobConfigurationWebMessageResponse"
	case c.Version != 41:
		response["responseType"] = "JobConfiguration"
	}
	c.W.Header().Set("Location", c.Base()+"/api/system/tasks/"+kind)
	c.Say(http.StatusOK, "OK", "Initiated "+name, response)
}
