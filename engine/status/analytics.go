package status

import (
	"context"
	"encoding/json"
	"fmt"
	"time"
)

// Analytics is how the analytics tables of a server stand that Culvert has made anew after loads.
type Analytics struct {
	Server  string    `json:"server"`
	Written time.Time `json:"written,omitzero"` // when the last record was written to the server, within seconds
	Covers  time.Time `json:"covers,omitzero"`  // what was written before is in the tables
	Started time.Time `json:"started,omitzero"` // of the last run
	Ended   time.Time `json:"ended,omitzero"`   // of the last run; zero: it goes on
	Task    string    `json:"task,omitempty"`   // the server's id of the last run
	Problem string    `json:"problem,omitempty"`
}

// analyticsSkew is how far the clocks of two runners may be apart.
const analyticsSkew = 10 * time.Second

// Running tells whether a run is under way.
func (a *Analytics) Running() bool { return !a.Started.IsZero() && a.Ended.IsZero() }

// Wanted tells whether the tables lack something that was written.
func (a *Analytics) Wanted() bool {
	return !a.Written.IsZero() && a.Written.After(a.Covers.Add(-analyticsSkew))
}

// Describe says how the tables stand.
func (a *Analytics) Describe() string {
	const moment = "2006-01-02 15:04"
	switch {
	case a.Running():
		return fmt.Sprintf("being made anew since %s", a.Started.Local().Format(moment))
	case a.Problem != "":
		return fmt.Sprintf("not made anew at %s: %s", a.Started.Local().Format(moment), a.Problem)
	case a.Wanted() && a.Covers.IsZero():
		return "made anew once nothing is delivered for a while"
	case a.Wanted():
		return fmt.Sprintf("as of %s, and made anew once nothing is delivered for a while", a.Covers.Local().Format(moment))
	case a.Started.Equal(a.Covers):
		return fmt.Sprintf("made anew at %s, in %s", a.Started.Local().Format(moment),
			a.Ended.Sub(a.Started).Round(time.Second))
	default:
		return fmt.Sprintf("as of %s, made by the server itself", a.Covers.Local().Format(moment))
	}
}

// Concern says what is wrong with the tables; empty when nothing is.
func (a *Analytics) Concern() string {
	if a.Problem == "" || a.Running() {
		return ""
	}
	return fmt.Sprintf("the analytics tables of server %s could not be made anew, so that charts and "+
		"reports lack what was written since, and it is tried again by itself: %s", a.Server, a.Problem)
}

// Names under which the journal keeps how analytics tables stand, and when records were last written.
const (
	analyticsName = "analytics/"
	WrittenName   = "written/"
)

// ReadAnalytics gives how the analytics tables of a server stand.
func ReadAnalytics(ctx context.Context, j metaReader, server string) (a Analytics, err error) {
	text, err := j.Meta(ctx, analyticsName+server)
	if err == nil && text != "" {
		err = json.Unmarshal([]byte(text), &a)
	}
	if err != nil {
		return a, fmt.Errorf("read how the analytics tables of %s stand: %w", server, err)
	}
	a.Server = server
	written, err := j.Meta(ctx, WrittenName+server)
	if err == nil && written != "" {
		a.Written, err = time.Parse(time.RFC3339Nano, written)
	}
	if err != nil {
		return a, fmt.Errorf("read when records were last written to %s: %w", server, err)
	}
	return a, nil
}

// SaveAnalytics keeps how the analytics tables of a server stand.
func SaveAnalytics(ctx context.Context, j Store, a Analytics) error {
	a.Written = time.Time{} // every runner keeps it for itself
	text, err := json.Marshal(a)
	if err != nil {
		return fmt.Errorf("encode how the analytics tables of %s stand: %w", a.Server, err)
	}
	return j.SetMeta(ctx, analyticsName+a.Server, string(text))
}

// addAnalytics says how the analytics tables of the servers stand for which that is asked for.
func (o *Overview) addAnalytics(ctx context.Context, j Reader) error {
	runners := o.Runners
	if len(runners) == 0 && o.Last != nil {
		runners = []Runner{*o.Last}
	}
	seen := map[string]bool{}
	for _, r := range runners {
		for _, s := range r.Servers {
			if seen[s.Name] {
				continue
			}
			seen[s.Name] = true
			a, err := ReadAnalytics(ctx, j, s.Name)
			if err != nil {
				return err
			}
			if !a.Written.IsZero() || !a.Started.IsZero() {
				o.Analytics = append(o.Analytics, a)
			}
		}
	}
	return nil
}
