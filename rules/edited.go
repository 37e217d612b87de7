package rules

import (
	"strings"

	"github.com/culvert/culvert/rules/diag"
)

// Submission is what a form of an OpenRosa tool (ODK Collect, KoboToolbox, Enketo, Ona) says of
// which submission it is. Every edit gets an instance id of its own and names the one before;
// KoboToolbox names the first one too.
type Submission struct {
	Instance string // its own id
	Replaces string // the id of the version that was edited; empty for a new submission
	Root     string // the id of the first version, where the source says it
}

// Names of the parts, below meta in a tree and with a path in KoboToolbox's flat JSON.
const (
	partInstance   = "instanceID"
	partDeprecated = "deprecatedID"
	partRoot       = "rootUuid"
)

// metaDepth is how deep below a record meta may lie: {data: {form: {meta: ...}}}.
const metaDepth = 3

// SubmissionOf reads which submission a record is; zero where it is none.
func SubmissionOf(body any) Submission {
	m, ok := body.(map[string]any)
	if !ok {
		return Submission{}
	}
	s := Submission{Instance: partOf(m, "meta/"+partInstance), Replaces: partOf(m, "meta/"+partDeprecated),
		Root: partOf(m, "meta/"+partRoot)}
	if s.Instance == "" {
		s.Instance = partOf(m, "_uuid")
	}
	if s.Replaces != "" || s.Root != "" {
		return s
	}
	if _, meta := metaOf(m, metaDepth); meta != nil {
		return Submission{Instance: partOf(meta, partInstance), Replaces: partOf(meta, partDeprecated),
			Root: partOf(meta, partRoot)}
	}
	return s
}

// metaOf finds the metadata of a form, and the form that has it.
func metaOf(m map[string]any, depth int) (form, meta map[string]any) {
	if meta, ok := m["meta"].(map[string]any); ok && partOf(meta, partInstance) != "" {
		return m, meta
	}
	if depth == 0 {
		return nil, nil
	}
	for _, name := range []string{"form", "data", "submission"} {
		if inner, ok := m[name].(map[string]any); ok {
			if form, meta := metaOf(inner, depth-1); meta != nil {
				return form, meta
			}
		}
	}
	return nil, nil
}

func partOf(m map[string]any, name string) string {
	v := m[name]
	if inner, ok := v.(map[string]any); ok {
		v = inner["#text"] // an element with a namespace of its own
	}
	text, _ := v.(string)
	return strings.TrimSpace(text)
}

// uuidPrefix stands before ids of instances, but not in KoboToolbox's _uuid.
const uuidPrefix = "uuid:"

func bare(id string) string { return strings.TrimPrefix(id, uuidPrefix) }

// Edit tells whether the record is an edit of an earlier submission.
func (s Submission) Edit() bool { return s.Replaces != "" && bare(s.Replaces) != bare(s.Instance) }

// Is tells whether a text is the submission's own instance id, which no other version of it has.
func (s Submission) Is(id string) bool {
	return s.Instance != "" && id != "" && bare(id) == bare(s.Instance)
}

// Like writes the id of another version as a text that is the submission's own id is written: with
// uuid: before it or without.
func (s Submission) Like(id, own string) string {
	if strings.HasPrefix(own, uuidPrefix) {
		return uuidPrefix + bare(id)
	}
	return bare(id)
}

// firstVersion gives the id of a submission's first version for its own, where the source says which it is.
func firstVersion(body any, id string) string {
	if s := SubmissionOf(body); s.Edit() && s.Is(id) && s.Root != "" {
		return s.Like(s.Root, id)
	}
	return id
}

// EditedID is the failure of an id that the record's earlier versions do not have, in a record that
// is an edit; nil where the id is any other.
func (e *Expr) EditedID(s *Scope, field, id string) error {
	submission := SubmissionOf(s.input.Body)
	if !submission.Edit() || !submission.Is(id) || bare(submission.Root) == bare(id) {
		return nil
	}
	return &Failure{Problem: diag.Problem{
		Code: "edited-submission", Place: e.Place, Field: field,
		Message: "this is an edit of an earlier submission, and " + e.Text +
			" is an id that only this version has: it would become a second object",
		Hint: `name what stays the same: trigger._id or trigger["meta/rootUuid"] in KoboToolbox, trigger.__id in ODK's ` +
			`OData; then replay the record`,
	}}
}
