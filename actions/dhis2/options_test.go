package dhis2

import (
	"context"
	"testing"

	"github.com/culvert/culvert/actions/dhis2/client"
)

// optionsServer notes how tracker imports are asked for.
type optionsServer struct {
	*fake
	asked []client.TrackerOptions
}

func (s *optionsServer) ImportTracker(ctx context.Context, p *client.TrackerPayload,
	o client.TrackerOptions) (*client.TrackerReport, error) {
	s.asked = append(s.asked, o)
	return s.fake.ImportTracker(ctx, p, o)
}

// TestImportOptionsOfTheServer holds that what culvert.yaml says of a server's imports reaches them.
func TestImportOptionsOfTheServer(t *testing.T) {
	server, o := &optionsServer{fake: newFake()}, testOptions()
	o.Import = ImportOptions{SkipRuleEngine: true, Async: true}
	target := NewTarget(server, countryIndex, newMemory(), o)
	want(t, target.Deliver(t.Context(), registrationRule(t, "fail").plans(t, woman(1))), "DDD")
	if len(server.asked) == 0 {
		t.Fatal("nothing was imported")
	}
	for _, got := range server.asked {
		if !got.SkipRuleEngine || !got.Async || got.SkipSideEffects {
			t.Errorf("%+v", got)
		}
	}
}
