package aggregate

import (
	"fmt"
	"strings"
)

// groupError refuses values together.
type groupError struct {
	code    string
	args    []string
	indexes []int
}

var groupSentences = map[string]string{
	"E8002": "Data set detection failed, found several sets: `{0}`",
	"E8003": "Data set detection failed, found no set for data element(s): `{0}`",
	"E8004": "Data set is no valid uid: `{0}`",
	"E8005": "Data set not found: `{0}`",
	"E8008": "Completion date is no valid date: `{0}`",
	"E8009": "Completion requires a data set, an org unit and a period",
	"E8010": "Current user cannot enter data for data set: `{0}`",
	"E8011": "Current user cannot enter data for org unit(s): `{0}`",
	"E8012": "Current user cannot enter data for category option(s): `{0}`",
	"E8020": "Data set {0} not usable with data element(s): `{1}`",
	"E8021": "Data set {0} not usable with period(s): `{1}`",
	"E8022": "Data set {0} not usable with org unit(s): `{1}`",
	"E8023": "Data set {0} not usable with attribute option combo(s): `{1}`",
	"E8024": "Data set {0} + data element {1} not usable with category option combo(s): `{2}`",
	"E8025": "Attribute option combo {0} not usable with org unit(s): `{1}`",
	"E8030": "Untimely data entry for data set {0} and period(s): `{1}`",
	"E8031": "Untimely data entry for org unit {0} and period(s): `{1}`",
	"E8032": "Untimely data entry for attribute option combo {0} and period(s): `{1}`",
	"E8000": "Only {0} of {1} values are valid: {2}",
	"E8100": "Value #{0} period not defined in group or value",
	"E8101": "Value #{0} data set is required to decode category options: `{1}`",
	"E8102": "Value #{0} data element not defined",
	"E8103": "Value #{0} data element not found: `{1}`",
	"E8104": "Value #{0} data element is no valid uid: `{1}`",
	"E8105": "Value #{0} org unit not defined",
	"E8106": "Value #{0} org unit is no valid uid: `{1}`",
	"E8107": "Value #{0} org unit not found: `{1}`",
	"E8108": "Value #{0} category option combo not found: `{1}`",
	"E8109": "Value #{0} category option combo is no valid uid: `{1}`",
	"E8110": "Value #{0} attribute option combo not found: `{1}`",
	"E8111": "Value #{0} attribute option combo is no valid uid: `{1}`",
	"E8120": "Value #{0} value is required",
	"E8121": "Value #{0} value or comment is required",
	"E8122": "Value #{0} value `{1}` is no valid {2}: {3}",
	"E8123": "Value #{0} value `{1}` is no option of data element {2}",
	"E8124": "Value #{0} comment `{1}` is no option",
	"E8125": "Value #{0} comment is longer than {1} characters",
	"E8128": "Value #{0} all affect the same data value: `{1}`",
}

func (g *groupError) text() string {
	out := groupSentences[g.code]
	for i, a := range g.args {
		out = strings.ReplaceAll(out, fmt.Sprintf("{%d}", i), a)
	}
	return out
}

func (g *groupError) conflict() conflict {
	return conflict{Objects: map[string]string{"args": strings.Join(g.args, "-")}, Value: g.text(), Code: g.code,
		Indexes: g.indexes}
}
