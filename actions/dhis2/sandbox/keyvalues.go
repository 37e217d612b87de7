package sandbox

import (
	"encoding/json"
	"fmt"
	"net/http"
	"sort"
	"strings"
	"time"
)

// keyValue is an entry of the data store or a setting.
type keyValue struct {
	Space     string          `json:"space"` // dataStore, systemSettings, userDataStore/<user> or userSettings/<user>
	Namespace string          `json:"namespace,omitempty"`
	Key       string          `json:"key"`
	UID       string          `json:"uid"`
	Value     json.RawMessage `json:"value"`
	Gone      bool            `json:"gone,omitempty"`
	Created   time.Time       `json:"created"`
	Updated   time.Time       `json:"updated"`
	UpdatedBy string          `json:"updatedBy"`
}

// maxKeys is how many entries there may be in all.
const maxKeys = 100_000

type keyPlace struct{ space, namespace, key string }

func (k *keyValue) place() keyPlace { return keyPlace{k.Space, k.Namespace, k.Key} }

func (st *store) putKey(k *keyValue) {
	st.keys[k.place()] = k
	st.state.note("kv", k)
}

// entry gives an entry that is there.
func (st *store) entry(at keyPlace) *keyValue {
	if k := st.keys[at]; k != nil && !k.Gone {
		return k
	}
	return nil
}

// entries gives those of a namespace, by key.
func (st *store) entries(space, namespace string) []*keyValue {
	var out []*keyValue
	for _, k := range st.keys {
		if k.Space == space && k.Namespace == namespace && !k.Gone {
			out = append(out, k)
		}
	}
	sort.Slice(out, func(i, j int) bool { return out[i].Key < out[j].Key })
	return out
}

// setKey writes an entry. The store must be locked.
func (c *call) setKey(at keyPlace, value json.RawMessage) *problem {
	now := c.srv.now().UTC()
	if len(c.srv.store.keys) >= maxKeys && c.srv.store.keys[at] == nil {
		return refuse(http.StatusConflict, "", "The sandbox keeps at most %d entries of the data store and settings.", maxKeys)
	}
	k := &keyValue{Space: at.space, Namespace: at.namespace, Key: at.key, UID: newUID(), Value: value, Created: now, Updated: now, UpdatedBy: c.user.username}
	if old := c.srv.store.entry(at); old != nil {
		k.UID, k.Created = old.UID, old.Created
	}
	c.srv.store.putKey(k)
	return c.flushed()
}

func (c *call) dropKeys(keys ...*keyValue) *problem {
	for _, k := range keys {
		gone := *k
		gone.Gone = true
		c.srv.store.putKey(&gone)
	}
	return c.flushed()
}

func (c *call) flushed() *problem {
	if err := c.srv.store.state.flush(); err != nil {
		return refuse(http.StatusInternalServerError, "", "%s", err.Error())
	}
	return nil
}

// dataStore answers what is below /api/dataStore, and /api/userDataStore, where everybody has a store of their own.
func (c *call) dataStore() {
	space := c.at(0)
	if space == "userDataStore" {
		space += "/" + c.user.username
	}
	st := c.srv.store
	st.mu.Lock()
	defer st.mu.Unlock()
	var p *problem
	switch len(c.path) {
	case 1:
		if c.method(http.MethodGet) {
			c.srv.json(c.w, http.StatusOK, c.namespaces(space))
		}
		return
	case 2:
		p = c.namespace(space, c.at(1))
	case 3:
		p = c.storeEntry(keyPlace{space, c.at(1), c.at(2)})
	case 4:
		if c.at(3) != "metaData" {
			c.srv.notFound(c.w, c.r)
			return
		}
		p = c.entryAbout(keyPlace{space, c.at(1), c.at(2)})
	default:
		c.srv.notFound(c.w, c.r)
		return
	}
	if p != nil {
		c.srv.refused(c.w, p)
	}
}

func (c *call) namespaces(space string) []string {
	seen := map[string]bool{}
	for _, k := range c.srv.store.keys {
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

func (c *call) namespace(space, namespace string) *problem {
	entries := c.srv.store.entries(space, namespace)
	switch {
	case c.r.Method == http.MethodDelete && len(entries) > 0:
		if p := c.dropKeys(entries...); p != nil {
			return p
		}
		c.srv.say(c.w, http.StatusOK, "OK", fmt.Sprintf("Namespace deleted: '%s'", namespace), nil)
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
	c.srv.json(c.w, http.StatusOK, keys)
	return nil
}

// entriesWith shows all entries of a namespace with parts of their values: fields=. gives the values whole.
func (c *call) entriesWith(entries []*keyValue) {
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
		c.srv.json(c.w, http.StatusOK, items)
		return
	}
	answer := object{"entries": items}
	if c.query.Get("paging") != "false" {
		answer["pager"] = object{"page": 1, "pageSize": 50}
	}
	c.srv.json(c.w, http.StatusOK, answer)
}

func springTrue(s string) bool {
	f, ok := springBool(s)
	return ok && f
}

func (c *call) storeEntry(at keyPlace) *problem {
	old := c.srv.store.entry(at)
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
		c.srv.say(c.w, http.StatusOK, "OK", fmt.Sprintf("Key '%s' deleted from namespace '%s'", at.key, at.namespace), nil)
		return nil
	}
	if !c.method(http.MethodGet, http.MethodPost, http.MethodPut, http.MethodDelete) {
		return nil
	}
	if old == nil {
		return missing
	}
	c.srv.json(c.w, http.StatusOK, old.Value)
	return nil
}

func (c *call) writeEntry(at keyPlace, old *keyValue) *problem {
	body, p := c.srv.readBody(c.w, c.r)
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
		c.w.Header().Set("Location", base(c.r)+"/api/dataStore/"+at.namespace+"/"+at.key)
		c.srv.say(c.w, http.StatusCreated, "OK", fmt.Sprintf("Key created: '%s'", at.key), nil)
		return nil
	}
	c.srv.say(c.w, http.StatusOK, "OK", fmt.Sprintf("Key updated: '%s'", at.key), nil)
	return nil
}

func (c *call) entryAbout(at keyPlace) *problem {
	if !c.method(http.MethodGet) {
		return nil
	}
	k := c.srv.store.entry(at)
	if k == nil {
		return refuse(http.StatusNotFound, "E1005", "Key '%s' not found in namespace '%s'", at.key, at.namespace)
	}
	c.srv.json(c.w, http.StatusOK, object{"id": k.UID, "namespace": k.Namespace, "key": k.Key, "created": stamp(k.Created), "lastUpdated": stamp(k.Updated)})
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
func (c *call) settings() {
	space := c.at(0)
	if space == "userSettings" {
		name := c.user.username
		if other := c.query.Get("user"); other != "" && c.user.super {
			name = other
		}
		space += "/" + name
	}
	if len(c.path) > 2 {
		c.srv.notFound(c.w, c.r)
		return
	}
	st := c.srv.store
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
		c.srv.refused(c.w, p)
	}
}

func (c *call) readSettings(kind, space string) *problem {
	all := object{}
	for name, v := range usualSettings[kind] {
		all[name] = v
	}
	for _, k := range c.srv.store.entries(space, "") {
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
		c.srv.json(c.w, http.StatusOK, all)
		return nil
	}
	v, ok := all[key]
	if !ok {
		return refuse(http.StatusNotFound, "E1005", "Setting does not exist: %s", key)
	}
	if strings.Contains(c.r.Header.Get("Accept"), "json") {
		c.srv.json(c.w, http.StatusOK, object{key: v})
		return nil
	}
	c.w.Header().Set("Content-Type", "text/plain;charset=UTF-8")
	_, _ = c.w.Write([]byte(textOf(v)))
	return nil
}

// writeSettings takes one setting, from the parameter value or the body, or a JSON object of several.
func (c *call) writeSettings(space string) *problem {
	body, p := c.srv.readBody(c.w, c.r)
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
	c.srv.say(c.w, http.StatusOK, "OK", text, nil)
	return nil
}
