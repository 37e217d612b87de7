package tree

import (
	"bytes"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestJSON(t *testing.T) {
	got, err := JSON([]byte("\xef\xbb\xbf"+`{"n": 1.5, "big": 12345678901234567890, "exact": 9007199254740992, `+
		`"huge": 1e400, "l": [true, null]}`), Limits{})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]any{"n": 1.5, "big": "12345678901234567890", "exact": 9007199254740992.0, "huge": "1e400",
		"l": []any{true, nil}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestWhatIsNotJSON(t *testing.T) {
	for text, want := range map[string]string{
		"":                       "the body is empty; send a JSON object",
		"{\n\"a\" 1}":            "line 2: this is not JSON at character 7; check quotes, commas and brackets there",
		`{"a": "secret`:          "line 1: the JSON ends too early; check that all of it was sent",
		`{} {}`:                  "line 1: more text follows the JSON value; send one value, or a list of several",
		strings.Repeat("[", 100): "line 1: objects and lists are nested deeper than 10; send flatter data",
	} {
		_, err := JSON([]byte(text), Limits{Depth: 10})
		if err == nil || err.Error() != want {
			t.Errorf("%q: got %v, want %s", text, err, want)
		}
	}
}

const formXML = `<?xml version='1.0' ?>
<data uiVersion="1" version="186" name="ANC visit" xmlns:jrm="http://dev.commcarehq.org/jr/xforms"
 xmlns="http://openrosa.org/formdesigner/A1">
  <visit_date>2026-08-01</visit_date><notes/><symptoms>fever cough</symptoms>
  <group_a><bp>120 &lt; 130</bp></group_a>
  <child><name>A</name></child><child><name>B</name></child>
  <n0:case case_id="8f8f" user_id="f4c6" date_modified="2026-08-01T09:00:00Z"
   xmlns:n0="http://commcarehq.org/case/transaction/v2">
    <n0:update><n0:muac>118</n0:muac></n0:update>
  </n0:case>
  <n1:meta xmlns:n1="http://openrosa.org/jr/xforms"><n1:username>chw1</n1:username><n1:instanceID>f-1</n1:instanceID>
    <n2:appVersion xmlns:n2="http://commcarehq.org/xforms">v2.53</n2:appVersion></n1:meta>
</data>`

func TestFormXMLIsTheTreeOfItsJSON(t *testing.T) {
	got, err := XML([]byte(formXML), Limits{Depth: 20})
	if err != nil {
		t.Fatal(err)
	}
	want, err := JSON([]byte(`{"id": "f-1",
	 "metadata": {"username": "chw1", "instanceID": "f-1", "appVersion": "v2.53"},
	 "form": {"#type": "data", "@name": "ANC visit", "@uiVersion": "1", "@version": "186",
	  "@xmlns": "http://openrosa.org/formdesigner/A1",
	  "visit_date": "2026-08-01", "notes": "", "symptoms": "fever cough", "group_a": {"bp": "120 < 130"},
	   "child": [{"name": "A"}, {"name": "B"}],
	  "case": {"@case_id": "8f8f", "@user_id": "f4c6", "@date_modified": "2026-08-01T09:00:00Z",
	   "@xmlns": "http://commcarehq.org/case/transaction/v2", "update": {"muac": "118"}},
	  "meta": {"@xmlns": "http://openrosa.org/jr/xforms", "username": "chw1", "instanceID": "f-1",
	   "appVersion": {"#text": "v2.53", "@xmlns": "http://commcarehq.org/xforms"}}}}`), Limits{})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, any(got)); diff != "" {
		t.Error(diff)
	}
}

func TestCaseXMLIsTheTreeOfItsJSON(t *testing.T) {
	got, err := XML([]byte(`<case case_id="c1" date_modified="2026-08-01T09:00:00Z"
	 user_id="u1" xmlns="http://commcarehq.org/case/transaction/v2">
	<create><case_type>pregnancy</case_type><case_name>Ada</case_name><owner_id>o1</owner_id></create><update><muac>118</muac></update>
	<index><parent case_type="household">h1</parent></index><close/></case>`), Limits{})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]any{"case_id": "c1", "date_modified": "2026-08-01T09:00:00Z", "user_id": "u1", "closed": true,
		"properties": map[string]any{"case_type": "pregnancy", "case_name": "Ada", "owner_id": "o1", "muac": "118"},
		"indices": map[string]any{"parent": map[string]any{"case_id": "h1", "case_type": "household",
			"relationship": "child"}}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestWhatIsNotXML(t *testing.T) {
	for text, want := range map[string]string{
		"":             "the body holds no XML element; send a form or a case",
		"<a>\n<b></a>": "line 2: this is not XML; check tags, quotes and ampersands there",
		"<a><b>":       "line 1: the XML ends too early; check that all of it was sent",
		"<!DOCTYPE a [<!ENTITY x \"y\">]><a>&x;</a>": "line 1: the XML has a document type declaration; send it without one",
		"<a/><b/>":                "line 1: a second document follows; send one document",
		"<a/>text":                "line 1: there is text outside of the XML document; send the document alone",
		strings.Repeat("<a>", 50): "line 1: elements are nested deeper than 10; send flatter data",
		"<a>\n\xe9</a>": "the XML is not UTF-8: line 2 holds the byte 0xE9; send it in UTF-8, or name the " +
			"encoding that it is in",
		"<?xml version=\"1.0\" encoding=\"ebcdic\"?><a>\xe9</a>": `the XML is in the encoding "ebcdic", which is not ` +
			`known; send it in UTF-8, or name the encoding that it is in`,
	} {
		_, err := XML([]byte(text), Limits{Depth: 10})
		if err == nil || err.Error() != want {
			t.Errorf("%q: got %v, want %s", text, err, want)
		}
	}
}

func TestXMLInOtherEncodings(t *testing.T) {
	for text, want := range map[string]string{
		"<?xml version='1.0' encoding='ISO-8859-1'?><a>Zo\xe9</a>":     "Zoé",
		"<?xml version='1.0' encoding='windows-1256'?><a>\xe3\xcd</a>": "مح",
		"<?xml version='1.0' encoding='ISO-8859-1'?><a>Zoé</a>":        "Zoé", // converted on the way, its declaration left
		"<\x00a\x00>\x00\xe9\x00<\x00/\x00a\x00>\x00":                  "é",
		"\xff\xfe<\x00a\x00>\x00\xe9\x00<\x00/\x00a\x00>\x00":          "é",
	} {
		got, err := XML([]byte(text), Limits{})
		if err != nil || got["a"] != want {
			t.Errorf("%q: got %v, %v, want %q", text, got, err, want)
		}
	}
}

func TestJSONThatIsNotText(t *testing.T) {
	for text, want := range map[string]string{
		"{\n\"a\": \"Zo\xe9\"}": "the JSON is not UTF-8: line 2 holds the byte 0xE9; send it in UTF-8, or name the " +
			"encoding that it is in",
		`{"a": "\ud83d"}`: `line 1: half of a character is written as \u and its other half is missing; have the ` +
			`sender write whole characters, in UTF-8`,
		`{"a": "\ud83d\u0041"}`: `line 1: half of a character is written as \u and its other half is missing; have the ` +
			`sender write whole characters, in UTF-8`,
		`{"a": "x\udc00"}`: `line 1: half of a character is written as \u and its other half is missing; have the sender ` +
			`write whole characters, in UTF-8`,
	} {
		_, err := JSON([]byte(text), Limits{})
		if err == nil || err.Error() != want {
			t.Errorf("%q: got %v, want %s", text, err, want)
		}
	}
	for text, want := range map[string]string{`"\ud83d\ude00"`: "😀", `"\\ud83d"`: `\ud83d`, `"\u00e9"`: "é"} {
		if got, err := JSON([]byte(text), Limits{}); err != nil || got != want {
			t.Errorf("%s: got %q, %v, want %q", text, got, err, want)
		}
	}
}

func FuzzJSON(f *testing.F) {
	f.Add([]byte(`{"a": [1, "x", null, 1e999]}`))
	f.Add([]byte(`[123456789012345, 1234567890123456, 12345678901234567890, 12345678901.2345678, 1e15, 9e22]`))
	f.Fuzz(func(t *testing.T, text []byte) {
		v, err := JSON(text, Limits{Depth: 20})
		if err != nil && v != nil {
			t.Error("a value and an error")
		}
		if err != nil {
			return
		}
		// The quick way has to give what the careful one does.
		if want, err := careful(bytes.TrimPrefix(text, []byte("\xef\xbb\xbf"))); err != nil || !reflect.DeepEqual(v, want) {
			t.Errorf("%#v, and decoded number by number %#v, %v", v, want, err)
		}
	})
}

func FuzzXML(f *testing.F) {
	f.Add([]byte(formXML))
	f.Fuzz(func(t *testing.T, text []byte) {
		if v, err := XML(text, Limits{Depth: 20}); err != nil && v != nil {
			t.Error("a value and an error")
		}
	})
}
