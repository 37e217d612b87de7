package api

import (
	"encoding/json"
	"fmt"
	"net/http"
	"sort"
	"strings"

	"github.com/culvert/culvert/actions/dhis2/sandbox/catalog"
	"github.com/culvert/culvert/actions/dhis2/sandbox/dates"
	"github.com/culvert/culvert/actions/dhis2/sandbox/ids"
	"github.com/culvert/culvert/actions/dhis2/sandbox/rest"
	"github.com/culvert/culvert/actions/dhis2/sandbox/store"
)

// maxKeys is how many entries there may be in all.
const maxKeys = 100_000

// setKey writes an entry. The store must be locked.
func (c *call) setKey(at store.KeyPlace, value json.RawMessage) *rest.Problem {
	now := c.Now().UTC()
	if len(c.Store.Keys) >= maxKeys && c.Store.Keys[at] == nil {
		return rest.Refuse(http.StatusConflict, "", "The sandbox keeps at most %d entries of the data store and settings.",
			maxKeys)
	}
	k := &store.KeyValue{Space: at.Space, Namespace: at.Namespace, Key: at.Key, UID: ids.New(), Value: value,
		Created: now, Updated: now, UpdatedBy: c.User.Username}
	if old := c.Store.Entry(at); old != nil {
		k.UID, k.Created = old.UID, old.Created
	}
	c.Store.PutKey(k)
	return c.Flushed()
}

func (c *call) dropKeys(keys ...*store.KeyValue) *rest.Problem {
	for _, k := range keys {
		gone := *k
		gone.Gone = true
		c.Store.PutKey(&gone)
	}
	return c.Flushed()
}

// dataStore answers what is below /api/dataStore, and /api/userDataStore, where everybody has a store of their own.
func (c *call) dataStore() {
	space := c.At(0)
	if space == "userDataStore" {
		space += "/" + c.User.Username
	}
	st := c.Store
	st.Lock()
	defer st.Unlock()
	var p *rest.Problem
	switch len(c.Path) {
	case 1:
		if c.Method(http.MethodGet) {
			c.JSON(http.StatusOK, c.namespaces(space))
		}
		return
	case 2:
		p = c.namespace(space, c.At(1))
	case 3:
		p = c.storeEntry(store.KeyPlace{Space: space, Namespace: c.At(1), Key: c.At(2)})
	case 4:
		if c.At(3) != "metaData" {
			c.NotFound()
			return
		}
		p = c.entryAbout(store.KeyPlace{Space: space, Namespace: c.At(1), Key: c.At(2)})
	default:
		c.NotFound()
		return
	}
	if p != nil {
		c.Refused(p)
	}
}

func (c *call) namespaces(space string) []string {
	seen := map[string]bool{}
	for _, k := range c.Store.Keys {
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

func (c *call) namespace(space, namespace string) *rest.Problem {
	entries := c.Store.Entries(space, namespace)
	switch {
	case c.R.Method == http.MethodDelete && len(entries) > 0:
		if p := c.dropKeys(entries...); p != nil {
			return p
		}
		c.Say(http.StatusOK, "OK", fmt.Sprintf("Namespace deleted: '%s'", namespace), nil)
		return nil
	case !c.Method(http.MethodGet, http.MethodDelete):
		return nil
	case len(entries) == 0:
		return rest.Refuse(http.StatusNotFound, "E1005", "Namespace not found: '%s'", namespace)
	case c.Query.Has("fields"):
		c.entriesWith(entries)
		return nil
	}
	keys := make([]string, len(entries))
	for i, k := range entries {
		keys[i] = k.Key
	}
	c.JSON(http.StatusOK, keys)
	return nil
}

// entriesWith shows all entries of a namespace with parts of their values: fields=. gives the values whole.
func (c *call) entriesWith(entries []*store.KeyValue) {
	items := []any{}
	for _, k := range entries {
		item := object{"key": k.Key}
		var value any
		_ = json.Unmarshal(k.Value, &value) // it was read when it was stored
		for _, f := range strings.Split(c.Query.Get("fields"), ",") {
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
	if rest.IsTrue(c.Query.Get("headless")) {
		c.JSON(http.StatusOK, items)
		return
	}
	answer := object{"entries": items}
	if c.Query.Get("paging") != "false" {
		answer["pager"] = object{"page": 1, "pageSize": 50}
	}
	c.JSON(http.StatusOK, answer)
}

func (c *call) storeEntry(at store.KeyPlace) *rest.Problem {
	old := c.Store.Entry(at)
	missing := rest.Refuse(http.StatusNotFound, "E1005", "Key '%s' not found in namespace '%s'", at.Key, at.Namespace)
	switch c.R.Method {
	case http.MethodPost, http.MethodPut:
		return c.writeEntry(at, old)
	case http.MethodDelete:
		if old == nil {
			return missing
		}
		if p := c.dropKeys(old); p != nil {
			return p
		}
		c.Say(http.StatusOK, "OK", fmt.Sprintf("Key '%s' deleted from namespace '%s'", at.Key, at.Namespace), nil)
		return nil
	}
	if !c.Method(http.MethodGet, http.MethodPost, http.MethodPut, http.MethodDelete) {
		return nil
	}
	if old == nil {
		return missing
	}
	c.JSON(http.StatusOK, old.Value)
	return nil
}

func (c *call) writeEntry(at store.KeyPlace, old *store.KeyValue) *rest.Problem {
	body, p := c.ReadBody()
	if p != nil {
		return p
	}
	if !json.Valid(body) {
		return c.Invalid("Invalid JSON value for key '%s'", at.Key)
	}
	if c.R.Method == http.MethodPost && old != nil {
		return rest.Refuse(http.StatusConflict, "E1004", "Key '%s' already exists in namespace '%s'", at.Key, at.Namespace)
	}
	if p := c.setKey(at, body); p != nil {
		return p
	}
	if old == nil {
		c.W.Header().Set("Location", c.Base()+"/api/dataStore/"+at.Namespace+"/"+at.Key)
		c.Say(http.StatusCreated, "OK", fmt.Sprintf("Key created: '%s'", at.Key), nil)
		return nil
	}
	c.Say(http.StatusOK, "OK", fmt.Sprintf("Key updated: '%s'", at.Key), nil)
	return nil
}

func (c *call) entryAbout(at store.KeyPlace) *rest.Problem {
	if !c.Method(http.MethodGet) {
		return nil
	}
	k := c.Store.Entry(at)
	if k == nil {
		return rest.Refuse(http.StatusNotFound, "E1005", "Key '%s' not found in namespace '%s'", at.Key, at.Namespace)
	}
	c.JSON(http.StatusOK, object{"id": k.UID, "namespace": k.Namespace, "key": k.Key, "created": dates.Stamp(k.Created),
		"lastUpdated": dates.Stamp(k.Updated)})
	return nil
}

// usualSettings are what a server has that nobody set anything on.
var usualSettings = map[string]map[string]any{
	"systemSettings": {"applicationTitle": "DHIS 2", "keyUiLocale": "en", "keyCalendar": "iso8601",
		"keyDateFormat": "yyyy-MM-dd", "keyFlag": "dhis2",
		"startModule": "dhis-web-dashboard", "keyAnalysisRelativePeriod": "LAST_12_MONTHS",
		"keyAnalysisDisplayProperty": "name",
		"keyTrackedEntityMaxLimit":   50000, "keyAccountRecovery": false, "keyEmailPort": 587,
		"helpPageLink":                "https://dhis2.github.io/dhis2-docs/master/en/user/html/dhis2_user_manual_en.html",
		"infrastructuralDataElements": nil, "keyCacheStrategy": "CACHE_1_MINUTE", "keyAcceptanceRequiredForApproval": false,
		"keyIgnoreAnalyticsApprovalYearThreshold": -1,
		"maxPasswordLength":                       72, "minPasswordLength": 8, "multiOrganisationUnitForms": false,
		"keyCustomLoginPageLogo": false, "keyCustomTopMenuLogo": false},
	"userSettings": {"keyUiLocale": "en", "keyDbLocale": nil, "keyStyle": nil, "keyAnalysisDisplayProperty": "name",
		"keyMessageEmailNotification": true,
		"keyMessageSmsNotification":   false, "keyTrackerDashboardLayout": nil},
}

// settings answers /api/systemSettings and /api/userSettings, and one setting at /api/systemSettings/<key>.
func (c *call) settings() {
	space := c.At(0)
	if space == "userSettings" {
		name := c.User.Username
		if other := c.Query.Get("user"); other != "" && c.User.Super {
			name = other
		}
		space += "/" + name
	}
	if len(c.Path) > 2 {
		c.NotFound()
		return
	}
	st := c.Store
	st.Lock()
	defer st.Unlock()
	var p *rest.Problem
	switch c.R.Method {
	case http.MethodPost, http.MethodPut:
		if c.At(0) == "systemSettings" && !c.Authorised("F_SYSTEM_SETTING") {
			return
		}
		p = c.writeSettings(space)
	case http.MethodDelete:
		if c.At(0) == "systemSettings" && !c.Authorised("F_SYSTEM_SETTING") {
			return
		}
		if k := st.Entry(store.KeyPlace{Space: space, Key: c.At(1)}); k != nil {
			p = c.dropKeys(k)
		}
		if p == nil {
			c.W.WriteHeader(http.StatusNoContent)
		}
	default:
		if c.Method(http.MethodGet, http.MethodPost, http.MethodDelete) {
			p = c.readSettings(c.At(0), space)
		}
	}
	if p != nil {
		c.Refused(p)
	}
}

func (c *call) readSettings(kind, space string) *rest.Problem {
	all := object{}
	for name, v := range usualSettings[kind] {
		all[name] = v
	}
	for _, k := range c.Store.Entries(space, "") {
		var v any
		_ = json.Unmarshal(k.Value, &v) // it was read when it was stored
		all[k.Key] = v
	}
	key := c.At(1)
	if key == "" {
		if wanted := c.ListOf("key"); len(wanted) > 0 {
			some := object{}
			for _, name := range wanted {
				some[name] = all[name]
			}
			all = some
		}
		c.JSON(http.StatusOK, all)
		return nil
	}
	v, ok := all[key]
	if !ok {
		return rest.Refuse(http.StatusNotFound, "E1005", "Setting does not exist: %s", key)
	}
	if strings.Contains(c.R.Header.Get("Accept"), "json") {
		c.JSON(http.StatusOK, object{key: v})
		return nil
	}
	c.W.Header().Set("Content-Type", "text/plain;charset=UTF-8")
	_, _ = c.W.Write([]byte(catalog.TextOf(v)))
	return nil
}

// writeSettings takes one setting, from the parameter value or the body, or a JSON object of several.
func (c *call) writeSettings(space string) *rest.Problem {
	body, p := c.ReadBody()
	if p != nil {
		return p
	}
	values := map[string]any{}
	switch key := c.At(1); {
	case key != "" && c.Query.Has("value"):
		values[key] = c.Query.Get("value")
	case key != "":
		if strings.TrimSpace(string(body)) == "" {
			return rest.Refuse(http.StatusConflict, "", "Value must be specified as query param or as payload")
		}
		values[key] = string(body)
	default:
		if err := json.Unmarshal(body, &values); err != nil {
			return rest.Refuse(http.StatusBadRequest, "", "JSON parse error: %s", err)
		}
	}
	for name, v := range values {
		raw, err := json.Marshal(v)
		if err != nil {
			return rest.Refuse(http.StatusBadRequest, "", "JSON parse error: %s", err)
		}
		if p := c.setKey(store.KeyPlace{Space: space, Key: name}, raw); p != nil {
			return p
		}
	}
	text := "System settings imported"
	if key := c.At(1); key != "" {
		text = fmt.Sprintf("System setting '%s' set to value '%v'.", key, values[key])
	}
	c.Say(http.StatusOK, "OK", text, nil)
	return nil
}
