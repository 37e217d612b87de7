package sandbox

import (
	"fmt"
	"net/http"
)

// messageConversation answers POST /api/messageConversations. Nobody reads what is sent: the sandbox has no inbox.
func (c *call) messageConversation() {
	if len(c.path) > 1 {
		c.srv.notFound(c.w, c.r)
		return
	}
	if !c.method(http.MethodPost) {
		return
	}
	root, p := c.jsonBody()
	if p != nil {
		c.srv.refused(c.w, p)
		return
	}
	for _, kind := range []string{"users", "userGroups", "organisationUnits"} {
		if n := root.get(kind); n != nil && len(n.items) > 0 {
			c.w.Header().Set("Location", base(c.r)+"/api/messageConversations/"+newUID())
			c.srv.json(c.w, http.StatusCreated, message{HTTPStatus: "Created", HTTPStatusCode: http.StatusCreated, Status: "OK", Message: "Message conversation created"})
			return
		}
	}
	c.w.Header().Set("Cache-Control", "no-cache, private")
	c.srv.fail(c.w, http.StatusConflict, "E1004", "No recipients selected.")
}

// jsonBody reads a body that must be a JSON object.
func (c *call) jsonBody() (*node, *problem) {
	body, p := c.srv.readBody(c.w, c.r)
	if p != nil {
		return nil, p
	}
	root, err := parseJSON(body)
	if err != nil || root == nil || root.kind != jsonObject {
		return nil, refuse(http.StatusBadRequest, "", "JSON parse error")
	}
	return root, nil
}

// resourceTables answers POST and PUT /api/resourceTables and /api/resourceTables/analytics: the tables that the sandbox does not have are done at once.
func (c *call) resourceTables() {
	kind := "RESOURCE_TABLE"
	if c.at(1) == "analytics" {
		kind = "ANALYTICS_TABLE"
	}
	if len(c.path) > 2 || len(c.path) == 2 && kind == "RESOURCE_TABLE" {
		c.srv.notFound(c.w, c.r)
		return
	}
	if !c.method(http.MethodPost, http.MethodPut) || !c.authorised("F_PERFORM_MAINTENANCE") {
		return
	}
	s := c.srv
	j := s.jobs.start(kind, s.now())
	s.jobs.finish(j, s.now(), nil, nil, nil)
	name := fmt.Sprintf("%s (%d)", kind, j.started.UnixMilli())
	response := object{"name": name, "id": j.id, "created": stamp(j.started), "jobType": kind, "jobStatus": "NOT_STARTED",
		"relativeNotifierEndpoint": "/api/system/tasks/" + kind + "/" + j.id}
	switch {
	case s.manners == 42:
		response["responseType"] = "JobConfigurationWebMessageResponse"
	case s.manners != 41:
		response["responseType"] = "JobConfiguration"
	}
	c.w.Header().Set("Location", base(c.r)+"/api/system/tasks/"+kind)
	s.say(c.w, http.StatusOK, "OK", "Initiated "+name, response)
}
