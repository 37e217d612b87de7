package records_test

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/culvert/culvert/lookups"
	"github.com/culvert/culvert/lookups/lookupstest"
	"github.com/culvert/culvert/lookups/records"
	"github.com/culvert/culvert/rules"
)

// journal holds what was delivered.
var journal = []lookups.Earlier{
	{Seq: 1, Rule: "visits", ID: "v1", Body: []byte(`{"kg": 58}`)},
	{Seq: 2, Rule: "visits", ID: "v2", Body: []byte(`{"kg": 59}`)},
	{Seq: 3, Rule: "births", ID: "b1", Body: []byte(`{}`)},
	{Seq: 4, Rule: "visits", ID: "v1", Body: []byte(`{"kg": 57}`)}, // v1, edited
	{Seq: 5, Rule: "visits", ID: "v3", Body: nil},                  // its payload has expired
	{Seq: 6, Rule: "visits", ID: "v4", Body: []byte(`{"kg": 61}`)},
}

// TestEarlier sees what was accepted before the record's place, of each record the newest version, and nothing of its own.
func TestEarlier(t *testing.T) {
	t.Parallel()
	var keys []string
	desk := lookups.NewDesk([]lookups.Kind{records.Kind{}}, lookups.Env{Earlier: func(_ context.Context,
		q lookups.EarlierQuery) (list []lookups.Earlier, err error) {
		keys = append(keys, q.Key)
		for i := len(journal) - 1; i >= 0; i-- {
			if e := journal[i]; e.Rule == q.Rule && (q.Before == 0 || e.Seq < q.Before) {
				e.Received = time.Unix(e.Seq, 0)
				list = append(list, e)
			}
		}
		return list, nil
	}})
	for _, c := range []struct {
		lookup string
		record rules.RecordRef
		where  []string
		want   string
	}{
		{"", rules.RecordRef{Rule: "visits", ID: "v4", Key: "k", Seq: 6}, nil, "2: 59 57"},
		{"", rules.RecordRef{Rule: "visits", ID: "v4", Key: "k", Seq: 4}, nil, "2: 58 59"},
		{"", rules.RecordRef{Rule: "visits", ID: "v2", Key: "k", Seq: 9}, nil, "2: 57 61"},
		{"", rules.RecordRef{Rule: "visits", ID: "v1", Key: "k", Seq: 1}, nil, "0:"},
		{", rule: [visits, births]", rules.RecordRef{Rule: "other", ID: "x", Key: "k", Seq: 4}, nil, "3: 58 59 null"},
		{", where: {key: trigger.k}", rules.RecordRef{Rule: "visits", ID: "x", Key: "k", Seq: 3}, []string{"mother"}, "2: 58 59"},
	} {
		lookup := "in: records, values: {kg: trigger.kg}" + c.lookup
		asked, findings := lookupstest.Compile(t, records.Kind{}, lookup)
		if findings != "" {
			t.Fatal(findings)
		}
		q := rules.Question{Lookup: "found", Asked: asked, Record: c.record}
		if keys = nil; c.where != nil {
			q.Fields, q.Values = []string{"key"}, c.where
		}
		answers, err := desk.Answer(t.Context(), []rules.Question{q, q})
		if err != nil || answers[0].Err != nil || len(answers[0].Found) != 1 || len(answers[1].Found) != 1 {
			t.Fatalf("%+v: %+v %v", c, answers, err)
		}
		found := answers[0].Found[0].(map[string]any)
		text, _ := json.Marshal(found["count"])
		got := string(text) + ":"
		for _, one := range found["all"].([]any) {
			text, _ := json.Marshal(one.(map[string]any)["kg"])
			got += " " + string(text)
		}
		if got != c.want {
			t.Errorf("%+v: %s", c, got)
		}
		if want := append(c.where, "k")[0]; len(keys) == 0 || keys[0] != want {
			t.Errorf("%+v: asked for %q", c, keys)
		}
	}
}

func TestFindings(t *testing.T) {
	t.Parallel()
	for lookup, want := range map[string]string{
		"in: records": "",
		"in: records, values: {received: trigger.x}":   "bad-name",
		"in: records, values: {a: clinic.x}":           "clinic",
		"in: records, where: {person: trigger.person}": "unknown-lookup-field",
		"in: records, take: last":                      "unknown-key",
	} {
		_, got := lookupstest.Compile(t, records.Kind{}, lookup)
		if want == "" && got != "" || want != "" && !strings.Contains(got, want) {
			t.Errorf("%s\ngot  %s\nwant %s", lookup, got, want)
		}
	}
}
