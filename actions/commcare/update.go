package commcare

import (
	"encoding/json"

	"github.com/culvert/culvert/actions"
)

// body is one case as the API takes it.
type body struct {
	CaseID     string            `json:"case_id,omitempty"`
	ExternalID string            `json:"external_id,omitempty"`
	CaseType   string            `json:"case_type,omitempty"`
	CaseName   string            `json:"case_name,omitempty"`
	OwnerID    string            `json:"owner_id,omitempty"`
	Properties map[string]string `json:"properties,omitempty"`
	Close      bool              `json:"close,omitempty"`
}

func (b *body) set(key, value string) {
	switch key {
	case "case_type":
		b.CaseType = value
	case "case_name":
		b.CaseName = value
	case "owner_id":
		b.OwnerID = value
	}
}

func (b *body) text() string {
	text, _ := json.Marshal(b) // texts and a bool can always be written
	return string(text)
}

// update is what is sent of one case.
type update struct {
	action *action
	body   body
	name   string
	digest uint64
}

// Label implements actions.Object, as Describe does.
func (*update) Label() string { return "case on CommCare HQ" }

// Describe gives it by the names of the rule.
func (w *update) Describe() map[string]any {
	out := map[string]any{}
	for key, value := range map[string]string{"case": w.body.CaseID, "external_id": w.body.ExternalID,
		"case_type": w.body.CaseType, "case_name": w.body.CaseName, "owner_id": w.body.OwnerID} {
		if value != "" {
			out[key] = value
		}
	}
	if len(w.body.Properties) > 0 {
		properties := map[string]any{}
		for name, value := range w.body.Properties {
			properties[name] = value
		}
		out["properties"] = properties
	}
	if w.body.Close {
		out["close"] = true
	}
	return out
}

// Name implements remote.Write, as the following methods do.
func (w *update) Name() string   { return w.name }
func (w *update) Digest() uint64 { return w.digest }

// Always is true where what the case's id is must be read from the answer.
func (w *update) Always() bool { return w.action.spec.ID != "" && w.body.CaseID == "" }

// ResultField implements program.Resulting: the id of the case.
func (*update) ResultField() string { return "case_id" }

// Request implements actions.Requesting.
func (w *update) Request() actions.Request {
	method, path, text := w.request()
	return actions.Request{Method: method, Path: "/" + path, Body: text}
}
