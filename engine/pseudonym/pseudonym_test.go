package pseudonym

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"
)

const record = `{"domain": "tamala-anc", "received_on": "2026-03-02T09:12:00.000000Z", "form": {"@name": "ANC registration",
	"@xmlns": "http://openrosa.org/formdesigner/anc-reg", "case": {"@case_id": "8f8f5c3e-5c0e-4d43-9a55-6a1f3f0c1001",
	"@user_id": "f4c6"}, "mother": "8f8f5c3e-5c0e-4d43-9a55-6a1f3f0c1001", "first_name": "Fatou", "last_name": "SARR-Diop",
	"dob": "1996-01-09", "married": "24/12/2015", "phone": "+221 77 123 45 67", "national_id": "NID-100123",
	"gender": "f", "facility": "TM-010202", "weight": "60.2", "age": 30, "mobile": 221771234567, "gps": "-13.12345 34.98765 0 0",
	"notes": "lives near Mamadou, house 1423", "photo": "Fatou_home.jpg", "mail": "fatou.sarr@example.sn", "hiv_test": "yes",
	"arabic": "فاطمة", "none": null, "kept": true, "children": [{"name": "Awa", "born": "2020-02-29"}]}}`

func TestNothingOfAPersonIsLeft(t *testing.T) {
	var body any
	if err := json.Unmarshal([]byte(record), &body); err != nil {
		t.Fatal(err)
	}
	keep := func(v string) bool { return v == "f" || v == "TM-010202" }
	got := New(keep).Record(body)
	text, err := json.Marshal(got)
	if err != nil {
		t.Fatal(err)
	}
	for _, private := range []string{"Fatou", "fatou", "SARR", "Diop", "1996-01-09", "24/12/2015", "77 123 45 67", "100123",
		"771234567", "13.12345", "34.98765", "Mamadou", "1423", "فاطمة", "Awa", "2020-02-29", "8f8f5c3e", "2026-03-02"} {
		if strings.Contains(string(text), private) {
			t.Errorf("%q is left in\n%s", private, text)
		}
	}
	for _, phone := range []string{"+221 77 123 45 67", "77 123 45 67", "(077) 12-34-56", "077.123.45.67", "٠٧٧ ١٢٣ ٤٥"} {
		if a := New(nil).Text(phone); same(a, phone) > 6 {
			t.Errorf("%s became %s", phone, a)
		}
	}
	form := got.(map[string]any)["form"].(map[string]any)
	for key, want := range map[string]any{"@name": "ANC registration", "@xmlns": "http://openrosa.org/formdesigner/anc-reg",
		"gender": "f", "facility": "TM-010202", "weight": "60.2", "age": 30.0, "hiv_test": "yes", "none": nil, "kept": true,
		"gps": "-13.1 35.0 0 0"} {
		if form[key] != want {
			t.Errorf("%s became %v", key, form[key])
		}
	}
	if form["case"].(map[string]any)["@case_id"] != form["mother"] {
		t.Error("one id has become two")
	}
	if _, err := time.Parse(time.DateOnly, form["dob"].(string)); err != nil {
		t.Errorf("a date became %v", form["dob"])
	}
	if photo := form["photo"].(string); !strings.HasSuffix(photo, ".jpg") {
		t.Errorf("a file became %s", photo)
	}
	if mail := form["mail"].(string); !strings.HasSuffix(mail, "@example.org") {
		t.Errorf("an address became %s", mail)
	}
}

// same counts the digits that two numbers share in their places.
func same(a, b string) int {
	x, y, n := []rune(a), []rune(b), 0
	for i := range min(len(x), len(y)) {
		if x[i] == y[i] && x[i] >= '0' && (x[i] <= '9' || x[i] > 0x600) {
			n++
		}
	}
	return n
}

func TestDatesMoveTogether(t *testing.T) {
	r := New(nil)
	first, _ := time.Parse(time.DateOnly, r.Text("2026-01-01"))
	last, err := time.Parse(time.DateOnly, r.Text("2026-03-01"))
	if err != nil || last.Sub(first) != 59*24*time.Hour || first.Year() == 2026 {
		t.Errorf("from %v to %v, %v", first, last, err)
	}
	if at := r.Text("2026-03-02T09:12:00.000Z"); !strings.HasSuffix(at, "T09:12:00.000Z") {
		t.Errorf("a time became %s", at)
	}
}

func TestAlikeStaysAlike(t *testing.T) {
	r := New(nil)
	if first, second := r.Text("Fatou Sarr"), r.Text("Fatou Sarr"); first != second {
		t.Errorf("what is alike became %q and %q", first, second)
	}
	one, other := New(nil).Text("1234567890123"), New(nil).Text("1234567890123")
	if one == other {
		t.Errorf("two replacers do the same: %q", one)
	}
}

// FuzzText never fails, and gives text of the same kind.
func FuzzText(f *testing.F) {
	for _, s := range []string{"Fatou", "2026-02-30", "31/02/2020", "1e400", "+1.2.3", "\xff", "٣٤٥", "a:1", "@"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		r := New(nil)
		if once := r.Text(text); !reflect.DeepEqual(once, r.Text(text)) {
			t.Errorf("%q is replaced in two ways", text)
		}
	})
}

// A question may be called like a key of the form itself.
func TestQuestionsCalledLikeKeys(t *testing.T) {
	for value, stays := range map[string]bool{"malaria": true, "2": true, "submitted_via_web": true,
		"Amina Otieno": false, "ill since she lost her son": false, "AMINA": false} {
		got := New(nil).Record(map[string]any{"status": value}).(map[string]any)["status"]
		if (got == value) != stays {
			t.Errorf("%s became %v", value, got)
		}
	}
}
