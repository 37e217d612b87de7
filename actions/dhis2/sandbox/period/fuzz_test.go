package period

import "testing"

func FuzzPeriod(f *testing.F) {
	for _, s := range []string{"2024", "202401", "2024-01", "2024W5", "2024WedW5", "2024BiW3", "202401B", "2024Q1",
		"2024NovQ1", "2024S1", "2024AprilS1", "2024April", "20240131", "2024-02-30"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		p, ok := Parse(text)
		if !ok {
			return
		}
		if p.End.Before(p.Start) || p.ISO == "" {
			t.Errorf("%q became %+v", text, p)
		}
		if again, ok := Parse(p.ISO); !ok || again.ISO != p.ISO || !again.Start.Equal(p.Start) {
			t.Errorf("%q became %q, which becomes %+v %v", text, p.ISO, again, ok)
		}
	})
}
