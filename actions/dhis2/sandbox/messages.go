package sandbox

import (
	"fmt"
	"net/http"
)

// messageConversation answers POST /api/messageConversations. Nobody reads what is sent: the sandbox has no inbox.
func (c *apiCall) messageConversation() {
	if len(c.path) > 1 {
		c.notFound()
		return
	}
	if !c.method(http.MethodPost) {
		return
	}
	root, p := c.jsonBody()
	if p != nil {
		c.refused(p)
		return
	}
	for _, kind := range []string{"users", "userGroups", "organisationUnits"} {
		if n := root.get(kind); n != nil && len(n.items) > 0 {
			c.w.Header().Set("Location", c.base()+"/api/messageConversations/"+newUID())
			c.json(http.StatusCreated, message{HTTPStatus: "Created", HTTPStatusCode: http.StatusCreated, Status: "OK", Message: "Message conversation created"})
			return
		}
	}
	c.w.Header().Set("Cache-Control", "no-cache, private")
	c.fail(http.StatusConflict, "E1004", "No recipients selected.")
}

// resourceTables answers POST and PUT /api/resourceTables and /api/resourceTables/analytics: the tables that the sandbox does not have are done at once.
func (c *apiCall) resourceTables() {
	kind := "RESOURCE_TABLE"
	if c.at(1) == "analytics" {
		kind = "ANALYTICS_TABLE"
	}
	if len(c.path) > 2 || len(c.path) == 2 && kind == "RESOURCE_TABLE" {
		c.notFound()
		return
	}
	if !c.method(http.MethodPost, http.MethodPut) || !c.authorised("F_PERFORM_MAINTENANCE") {
		return
	}
	j := c.jobs.start(kind, c.now())
	c.jobs.finish(j, c.now(), nil, "Import complete", nil)
	name := fmt.Sprintf("%s (%d)", kind, j.started.UnixMilli())
	response := object{"name": name, "id": j.id, "created": stamp(j.started), "jobType": kind, "jobStatus": "NOT_STARTED",
		"relativeNotifierEndpoint": "/api/system/tasks/" + kind + "/" + j.id}
	switch {
	case c.manners == 42:
		response["responseType"] = "JobConfigurationWebMessageResponse"
	case c.manners != 41:
		response["responseType"] = "JobConfiguration"
	}
	c.w.Header().Set("Location", c.base()+"/api/system/tasks/"+kind)
	c.say(http.StatusOK, "OK", "Initiated "+name, response)
}
