package tracker

import (
	"net/http"

	"github.com/culvert/culvert/actions/dhis2/sandbox/dates"
	"github.com/culvert/culvert/actions/dhis2/sandbox/ids"
	"github.com/culvert/culvert/actions/dhis2/sandbox/jsontree"
	"github.com/culvert/culvert/actions/dhis2/sandbox/rest"
	"github.com/culvert/culvert/actions/dhis2/sandbox/store"
)

// addNote answers POST /api/tracker/{enrollments,events}/<uid>/note, from 2.42 on.
func (c *call) addNote(kind string) {
	if !c.Method(http.MethodPost) {
		return
	}
	body, p := c.ReadBody()
	if p != nil {
		c.Refused(p)
		return
	}
	root, err := jsontree.Parse(body)
	if err != nil || root == nil || root.Kind != jsontree.Object {
		c.Unreadable("JSON parse error")
		return
	}
	d := rest.Decoder{Version: c.Version}
	n := store.Note{UID: ids.OrNew(d.UID(root, "note")), Value: d.Text(root, "value"), Stored: c.Now().UTC(),
		By: c.User.Username}
	if d.Err != nil {
		c.Unreadable("JSON parse error: " + d.Err.Error())
		return
	}
	st, uid := c.Store, c.At(2)
	st.Lock()
	defer st.Unlock()
	e, ev := st.Enrollments[uid], st.Events[uid]
	switch {
	case kind == "enrollments" && (e == nil || e.Deleted):
		p = c.Unknown("Enrollment", uid)
	case kind == "events" && (ev == nil || ev.Deleted):
		p = c.Unknown("Event", uid)
	case n.Value == "":
		p = rest.Refuse(http.StatusBadRequest, "", "Note value is required")
	case st.Notes[n.UID]:
		p = rest.Refuse(http.StatusBadRequest, "", "Note with uid %s already exists", n.UID)
	}
	if p != nil {
		c.Refused(p)
		return
	}
	st.Notes[n.UID] = true
	if kind == "enrollments" {
		e.Notes = append(e.Notes, n)
		st.Keep(e)
	} else {
		ev.Notes = append(ev.Notes, n)
		st.Keep(ev)
	}
	if err := st.Flush(); err != nil {
		c.Fail(http.StatusInternalServerError, "", err.Error())
		return
	}
	c.JSON(http.StatusOK, object{"note": n.UID, "value": n.Value, "storedBy": n.By, "storedAt": dates.Stamp(n.Stored)})
}
