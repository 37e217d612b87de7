package codes

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/culvert/culvert/actions"
)

var update = flag.Bool("update", false, "write docs/errors.md anew")

const docs = "../../../docs/errors.md"

// classes in the order of the docs, with what Culvert does.
var classes = []struct {
	class actions.Class
	title string
	text  string
}{
	{actions.ClassData, "Data", "The record must be fixed. It is `failed` at once; `culvert replay` sends it again."},
	{actions.ClassMetadata, "Metadata",
		"The rule, or what is set up in DHIS2, must change. The record is `failed`; replay it afterwards."},
	{actions.ClassRights, "Rights",
		"Culvert's user in DHIS2 lacks a right. The record is `failed`; replay it once the right is granted."},
	{actions.ClassClosed, "Closed",
		"The period or the object is locked. The record is `failed`; replay it once it is open."},
	{actions.ClassConflict, "Conflict", "It contradicts what DHIS2 holds. A person decides."},
	{actions.ClassGone, "Gone", "The object was deleted in DHIS2. The rule's `when_deleted` says what happens."},
	{actions.ClassParent, "Parent", "It waits for another object and is sent again by itself."},
	{actions.ClassTransient, "Transient", "The server failed in passing. It is sent again by itself."},
	{actions.ClassNone, "Harmless", "A remark on something that was done."},
}

func page() []byte {
	var b bytes.Buffer
	b.WriteString("# Errors of DHIS2\n\n<!-- Made from actions/dhis2/codes by `go test ./actions/dhis2/codes -update`. " +
		"Do not edit by hand. -->\n\n" +
		"Every code that DHIS2 2.38 to 2.44 gives in the report of an import, what it means, and what to do. " +
		"`culvert explain CODE` says the same. A code that is not here is treated like a mistake in the data.\n")
	for _, c := range classes {
		fmt.Fprintf(&b, "\n## %s\n\n%s\n\n| code | what happened | what to do |\n| --- | --- | --- |\n", c.title, c.text)
		for _, e := range All() {
			if e.Class == c.class {
				fmt.Fprintf(&b, "| %s | %s | %s |\n", e.Code, e.Cause, e.Hint)
			}
		}
	}
	return b.Bytes()
}

func TestDocsAreUpToDate(t *testing.T) {
	if *update {
		if err := os.WriteFile(docs, page(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	have, err := os.ReadFile(docs)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(have, page()) {
		t.Error("docs/errors.md differs from the table: run `go test ./actions/dhis2/codes -update`")
	}
	for _, e := range All() {
		if n := strings.Count(string(have), "\n| "+e.Code+" |"); n != 1 {
			t.Errorf("%s is in the page %d times", e.Code, n)
		}
	}
}

func TestEntries(t *testing.T) {
	shape := regexp.MustCompile(`^E[1-9]\d{3}$`)
	seen := map[string]bool{}
	for _, e := range All() {
		if !shape.MatchString(e.Code) || seen[e.Code] {
			t.Errorf("code %q is odd or there twice", e.Code)
		}
		seen[e.Code] = true
		for _, text := range []string{e.Cause, e.Hint} {
			if text == "" || strings.HasSuffix(text, ".") || strings.ContainsAny(text, "|\n") || len(text) > 200 {
				t.Errorf("%s: %q is not a short sentence", e.Code, text)
			}
			if first := text[:1]; first != strings.ToLower(first) && !strings.HasPrefix(text, "Culvert") &&
				!strings.HasPrefix(text, "DHIS2") {
				t.Errorf("%s: %q does not start in lower case", e.Code, text)
			}
		}
	}
}

// The codes that DHIS2's source lists, by what heals them.
func TestEveryCodeHasItsClass(t *testing.T) {
	for class, list := range map[actions.Class]string{
		actions.ClassRights: `E1000 E1001 E1003 E1091 E1095 E1096 E1099 E1102 E1104 E1323 E1324 E1100 E1103 E4020 E1097
			E1098 E1105 E1131 E1325 E4019 E7601 E7614 E7616 E7617 E8010 E8011 E8012`,
		actions.ClassConflict: `E1002 E1030 E1080 E1009 E1015 E1016 E1039 E1064 E4018`,
		actions.ClassMetadata: `E1005 E1006 E1008 E1010 E1011 E1013 E1014 E1029 E1041 E1035 E1086 E1087 E1088 E1049 E1069
			E1070 E1112 E1304 E1305 E4006 E7600 E7603 E7610 E7612 E7613 E7615 E7636 E8003 E8005 E8020 E8021 E8022 E8023 E8024
			E8103 E8107 E8108 E8110`,
		actions.ClassData: `E1007 E1012 E1074 E1018 E1019 E1020 E1021 E1022 E1023 E1025 E1031 E1050 E1046 E1042 E1048 E1051
			E1052 E1056 E1057 E1075 E1076 E1077 E1079 E1089 E1084 E1085 E1090 E1094 E1110 E1118 E1120 E1121 E1122 E1123 E1124
			E1125 E1126 E1127 E1128 E1300 E1301 E1306 E1307 E1309 E1314 E1317 E1302 E1303 E1315 E1316 E1318 E4000 E4001 E4010
			E4014 E7604 E7611 E7618 E7619 E7620 E7621 E7630 E7631 E7632 E7633 E7634 E7635 E7637 E7638 E7639 E7645 E8000 E8002
			E8008 E8009 E8025 E8100 E8111 E8120 E8122 E8123 E8128`,
		actions.ClassClosed:    `E1043 E1047 E1083 E1326 E7640 E7641 E7642 E7643 E7644 E8030 E8031 E8032 E8033`,
		actions.ClassParent:    `E1032 E1063 E1081 E4016 E1033 E1068 E1313 E4012 E5000 E4011`,
		actions.ClassGone:      `E1082 E1113 E1114 E4017`,
		actions.ClassTransient: `E9999`,
		actions.ClassNone:      `E1119 E4015`,
	} {
		for code := range strings.FieldsSeq(list) {
			if e, ok := Explain(code); !ok || e.Class != class {
				t.Errorf("%s: class %q (known: %v), want %q", code, e.Class, ok, class)
			}
		}
	}
}

func TestUnknownCode(t *testing.T) {
	e, ok := Explain("E4711")
	if ok || e.Code != "E4711" || e.Class != actions.ClassData || e.Cause == "" || e.Hint == "" {
		t.Errorf("%+v, %v", e, ok)
	}
}
