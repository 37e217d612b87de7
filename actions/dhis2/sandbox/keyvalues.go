package sandbox

import (
	"encoding/json"
	"fmt"
	"net/http"
	"sort"
	"strings"
)

// maxKeys is how many entries there may be in all.
const maxKeys = 100_000

// setKey writes an entry. The store must be locked.
func (c *apiCall) setKey(at keyPlace, value json.RawMessage) *problem {
	now := c.now().UTC()
	if len(c.store.keys) >= maxKeys && c.store.keys[at] == nil {
		return refuse(http.StatusConflict, "", "The sandbox keeps at most %d entries of the data store and settings.", maxKeys)
	}
	k := &keyValue{Space: at.space, Namespace: at.namespace, Key: at.key, UID: newUID(), Value: value, Created: now, Updated: now, UpdatedBy: c.user.username}
	if old := c.store.entry(at); old != nil {
		k.UID, k.Created = old.UID, old.Created
	}
	c.store.putKey(k)
	return c.flushed()
}

func (c *apiCall) dropKeys(keys ...*keyValue) *problem {
	for _, k := range keys {
		gone := *k
		gone.Gone = true
		c.store.putKey(&gone)
	}
	return c.flushed()
}

// dataStore answers what is below /api/dataStore, and /api/userDataStore, where everybody has a store of their own.
func (c *apiCall) dataStore() {
	space := c.at(0)
	if space == "userDataStore" {
		space += "/" + c.user.username
	}
	st := c.store
	st.mu.Lock()
	defer st.mu.Unlock()
	var p *problem
	switch len(c.path) {
	case 1:
		if c.method(http.MethodGet) {
			c.json(http.StatusOK, c.namespaces(space))
		}
		return
	case 2:
		p = c.namespace(space, c.at(1))
	case 3:
		p = c.storeEntry(keyPlace{space, c.at(1), c.at(2)})
	case 4:
		if c.at(3) != "metaData" {
			c.notFound()
			return
		}
		p = c.entryAbout(keyPlace{space, c.at(1), c.at(2)})
	default:
		c.notFound()
		return
	}
	if p != nil {
		c.refused(p)
	}
}

func (c *apiCall) namespaces(space string) []string {
	seen := map[string]bool{}
	for _, k := range c.store.keys {
		if k.Space == space && !k.Gone {
			seen[k.Namespace] = true
		}
	}
	out := make([]string, 0, len(seen))
	for n := range seen {
		out = append(out, n)
	}
	sort.Strings(out)
	return out
}

func (c *apiCall) namespace(space, namespace string) *problem {
	entries := c.store.entries(space, namespace)
	switch {
	case c.r.Method == http.MethodDelete && len(entries) > 0:
		if p := c.dropKeys(entries...); p != nil {
			return p
		}
		c.say(http.StatusOK, "OK", fmt.Sprintf("Namespace deleted: '%s'", namespace), nil)
		return nil
	case !c.method(http.MethodGet, http.MethodDelete):
		return nil
	case len(entries) == 0:
		return refuse(http.StatusNotFound, "E1005", "Namespace not found: '%s'", namespace)
	case c.query.Has("fields"):
		c.entriesWith(entries)
		return nil
	}
	keys := make([]string, len(entries))
	for i, k := range entries {
		keys[i] = k.Key
	}
	c.json(http.StatusOK, keys)
	return nil
}

// entriesWith shows all entries of a namespace with parts of their values: fields=. gives the values whole.
func (c *apiCall) entriesWith(entries []*keyValue) {
	items := []any{}
	for _, k := range entries {
		item := object{"key": k.Key}
		var value any
		_ = json.Unmarshal(k.Value, &value) // it was read when it was stored
		for _, f := range strings.Split(c.query.Get("fields"), ",") {
			if f == "." || f == "" {
				item["value"] = value
				continue
			}
			at := value
			for _, name := range strings.Split(f, ".") {
				o, _ := at.(object)
				at = o[name]
			}
			item[f] = at
		}
		items = append(items, item)
	}
	if springTrue(c.query.Get("headless")) {
		c.json(http.StatusOK, items)
		return
	}
	answer := object{"entries": items}
	if c.query.Get("paging") != "false" {
		answer["pager"] = object{"page": 1, "pageSize": 50}
	}
	c.json(http.StatusOK, answer)
}

func (c *apiCall) storeEntry(at keyPlace) *problem {
	old := c.store.entry(at)
	missing := refuse(http.StatusNotFound, "E1005", "Key '%s' not found in namespace '%s'", at.key, at.namespace)
	switch c.r.Method {
	case http.MethodPost, http.MethodPut:
		return c.writeEntry(at, old)
	case http.MethodDelete:
		if old == nil {
			return missing
		}
		if p := c.dropKeys(old); p != nil {
			return p
		}
		c.say(http.StatusOK, "OK", fmt.Sprintf("Key '%s' deleted from namespace '%s'", at.key, at.namespace), nil)
		return nil
	}
	if !c.method(http.MethodGet, http.MethodPost, http.MethodPut, http.MethodDelete) {
		return nil
	}
	if old == nil {
		return missing
	}
	c.json(http.StatusOK, old.Value)
	return nil
}

func (c *apiCall) writeEntry(at keyPlace, old *keyValue) *problem {
	body, p := c.readBody()
	if p != nil {
		return p
	}
	if !json.Valid(body) {
		return c.invalid("Invalid JSON value for key '%s'", at.key)
	}
	if c.r.Method == http.MethodPost && old != nil {
		return refuse(http.StatusConflict, "E1004", "Key '%s' already exists in namespace '%s'", at.key, at.namespace)
	}
	if p := c.setKey(at, body); p != nil {
		return p
	}
	if old == nil {
		c.w.Header().Set("Location", c.base()+"/api/dataStore/"+at.namespace+"/"+at.key)
		c.say(http.StatusCreated, "OK", fmt.Sprintf("Key created: '%s'", at.key), nil)
		return nil
	}
	c.say(http.StatusOK, "OK", fmt.Sprintf("Key updated: '%s'", at.key), nil)
	return nil
}

func (c *apiCall) entryAbout(at keyPlace) *problem {
	if !c.method(http.MethodGet) {
		return nil
	}
	k := c.store.entry(at)
	if k == nil {
		return refuse(http.StatusNotFound, "E1005", "Key '%s' not found in namespace '%s'", at.key, at.namespace)
	}
	c.json(http.StatusOK, object{"id": k.UID, "namespace": k.Namespace, "key": k.Key, "created": stamp(k.Created), "lastUpdated": stamp(k.Updated)})
	return nil
}

// usualSettings are what a server has that nobody set anything on.
var usualSettings = map[string]map[string]any{
	"systemSettings": {"applicationTitle": "DHIS 2", "keyUiLocale": "en", "keyCalendar": "iso8601", "keyDateFormat": "yyyy-MM-dd", "keyFlag": "dhis2",
		"startModule": "dhis-web-dashboard", "keyAnalysisRelativePeriod": "LAST_12_MONTHS", "keyAnalysisDisplayProperty": "name",
		"keyTrackedEntityMaxLimit": 50000, "keyAccountRecovery": false, "keyEmailPort": 587, "helpPageLink": "https://dhis2.github.io/dhis2-docs/master/en/user/html/dhis2_user_manual_en.html",
		"infrastructuralDataElements": nil, "keyCacheStrategy": "CACHE_1_MINUTE", "keyAcceptanceRequiredForApproval": false, "keyIgnoreAnalyticsApprovalYearThreshold": -1,
		"maxPasswordLength": 72, "minPasswordLength": 8, "multiOrganisationUnitForms": false, "keyCustomLoginPageLogo": false, "keyCustomTopMenuLogo": false},
	"userSettings": {"keyUiLocale": "en", "keyDbLocale": nil, "keyStyle": nil, "keyAnalysisDisplayProperty": "name", "keyMessageEmailNotification": true,
		"keyMessageSmsNotification": false, "keyTrackerDashboardLayout": nil},
}

// settings answers /api/systemSettings and /api/userSettings, and one setting at /api/systemSettings/<key>.
func (c *apiCall) settings() {
	space := c.at(0)
	if space == "userSettings" {
		name := c.user.username
		if other := c.query.Get("user"); other != "" && c.user.super {
			name = other
		}
		space += "/" + name
	}
	if len(c.path) > 2 {
		c.notFound()
		return
	}
	st := c.store
	st.mu.Lock()
	defer st.mu.Unlock()
	var p *problem
	switch c.r.Method {
	case http.MethodPost, http.MethodPut:
		if c.at(0) == "systemSettings" && !c.authorised("F_SYSTEM_SETTING") {
			return
		}
		p = c.writeSettings(space)
	case http.MethodDelete:
		if c.at(0) == "systemSettings" && !c.authorised("F_SYSTEM_SETTING") {
			return
		}
		if k := st.entry(keyPlace{space, "", c.at(1)}); k != nil {
			p = c.dropKeys(k)
		}
		if p == nil {
			c.w.WriteHeader(http.StatusNoContent)
		}
	default:
		if c.method(http.MethodGet, http.MethodPost, http.MethodDelete) {
			p = c.readSettings(c.at(0), space)
		}
	}
	if p != nil {
		c.refused(p)
	}
}

func (c *apiCall) readSettings(kind, space string) *problem {
	all := object{}
	for name, v := range usualSettings[kind] {
		all[name] = v
	}
	for _, k := range c.store.entries(space, "") {
		var v any
		_ = json.Unmarshal(k.Value, &v) // it was read when it was stored
		all[k.Key] = v
	}
	key := c.at(1)
	if key == "" {
		if wanted := c.listOf("key"); len(wanted) > 0 {
			some := object{}
			for _, name := range wanted {
				some[name] = all[name]
			}
			all = some
		}
		c.json(http.StatusOK, all)
		return nil
	}
	v, ok := all[key]
	if !ok {
		return refuse(http.StatusNotFound, "E1005", "Setting does not exist: %s", key)
	}
	if strings.Contains(c.r.Header.Get("Accept"), "json") {
		c.json(http.StatusOK, object{key: v})
		return nil
	}
	c.w.Header().Set("Content-Type", "text/plain;charset=UTF-8")
	_, _ = c.w.Write([]byte(textOf(v)))
	return nil
}

// writeSettings takes one setting, from the parameter value or the body, or a JSON object of several.
func (c *apiCall) writeSettings(space string) *problem {
	body, p := c.readBody()
	if p != nil {
		return p
	}
	values := map[string]any{}
	switch key := c.at(1); {
	case key != "" && c.query.Has("value"):
		values[key] = c.query.Get("value")
	case key != "":
		if strings.TrimSpace(string(body)) == "" {
			return refuse(http.StatusConflict, "", "Value must be specified as query param or as payload")
		}
		values[key] = string(body)
	default:
		if err := json.Unmarshal(body, &values); err != nil {
			return refuse(http.StatusBadRequest, "", "JSON parse error: %s", err)
		}
	}
	for name, v := range values {
		raw, err := json.Marshal(v)
		if err != nil {
			return refuse(http.StatusBadRequest, "", "JSON parse error: %s", err)
		}
		if p := c.setKey(keyPlace{space, "", name}, raw); p != nil {
			return p
		}
	}
	text := "System settings imported"
	if key := c.at(1); key != "" {
		text = fmt.Sprintf("System setting '%s' set to value '%v'.", key, values[key])
	}
	c.say(http.StatusOK, "OK", text, nil)
	return nil
}
