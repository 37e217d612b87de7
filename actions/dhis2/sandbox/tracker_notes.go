package sandbox

import "net/http"

// addNote answers POST /api/tracker/{enrollments,events}/<uid>/note, from 2.42 on.
func (c *trackerCall) addNote(kind string) {
	if !c.method(http.MethodPost) {
		return
	}
	body, p := c.readBody()
	if p != nil {
		c.refused(p)
		return
	}
	root, err := parseJSON(body)
	if err != nil || root == nil || root.kind != jsonObject {
		c.unreadable("JSON parse error")
		return
	}
	d := decoder{m: c.manners}
	n := note{UID: orNew(d.uid(root, "note")), Value: d.text(root, "value"), Stored: c.now().UTC(), By: c.user.username}
	if d.err != nil {
		c.unreadable("JSON parse error: " + d.err.Error())
		return
	}
	st, uid := c.store, c.at(2)
	st.mu.Lock()
	defer st.mu.Unlock()
	e, ev := st.enrollments[uid], st.events[uid]
	switch {
	case kind == "enrollments" && (e == nil || e.Deleted):
		p = c.unknown("Enrollment", uid)
	case kind == "events" && (ev == nil || ev.Deleted):
		p = c.unknown("Event", uid)
	case n.Value == "":
		p = refuse(http.StatusBadRequest, "", "Note value is required")
	case st.notes[n.UID]:
		p = refuse(http.StatusBadRequest, "", "Note with uid %s already exists", n.UID)
	}
	if p != nil {
		c.refused(p)
		return
	}
	st.notes[n.UID] = true
	if kind == "enrollments" {
		e.Notes = append(e.Notes, n)
		st.state.note("en", e)
	} else {
		ev.Notes = append(ev.Notes, n)
		st.state.note("ev", ev)
	}
	if err := st.state.flush(); err != nil {
		c.fail(http.StatusInternalServerError, "", err.Error())
		return
	}
	c.json(http.StatusOK, object{"note": n.UID, "value": n.Value, "storedBy": n.By, "storedAt": stamp(n.Stored)})
}
