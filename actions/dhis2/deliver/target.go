package deliver

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/culvert/culvert/actions"
	"github.com/culvert/culvert/actions/dhis2/asked"
	"github.com/culvert/culvert/actions/dhis2/client"
	"github.com/culvert/culvert/actions/dhis2/codes"
	"github.com/culvert/culvert/actions/dhis2/identity"
	"github.com/culvert/culvert/actions/dhis2/metadata"
	"github.com/culvert/culvert/actions/dhis2/object"
	"github.com/culvert/culvert/rules"
)

// Server is what the target asks of a DHIS2 server. *client.Client implements it.
type Server interface {
	Ping(ctx context.Context) error
	ImportTracker(ctx context.Context, p *client.TrackerPayload, o client.TrackerOptions) (*client.TrackerReport, error)
	ImportDataValues(ctx context.Context, s *client.DataValueSet, o client.DataValueOptions) (*client.DataValueReport,
		error)
	UploadFile(ctx context.Context, u client.Upload) (uid string, err error)
	SendValueFile(ctx context.Context, f client.ValueFile) error
	MarkFollowUps(ctx context.Context, list []client.FollowUp) error
	LetIn(ctx context.Context, x client.TemporaryAccess) error
	PlanOrgUnit(ctx context.Context, w client.OrgUnit) (*client.OrgUnitPlan, error)
	ApplyOrgUnit(ctx context.Context, p *client.OrgUnitPlan) error
	object.Requests
	Reserve(ctx context.Context, q client.ReserveQuery) ([]string, error)
	FindTrackedEntities(ctx context.Context, q client.FindQuery) ([]client.Found, error)
	EventsOf(ctx context.Context, people []string, program string) (map[string][]client.Event, error)
	TrackedEntities(ctx context.Context, uids []string, program string) ([]client.TrackedEntity, error)
	Enrollments(ctx context.Context, list []client.InProgram) ([]client.Enrollment, error)
	Events(ctx context.Context, list []client.InProgram) ([]client.Event, error)
}

// Options are what a target needs besides the server.
type Options struct {
	Project string               // namespace of all derived ids
	Address string               // of the server, for links to people in failures; empty: uids alone
	Zone    *time.Location       // of dates that lookups read; nil means UTC
	Now     func() time.Time     // nil means time.Now
	Log     *slog.Logger         // nil keeps it silent
	Import  object.ImportOptions // of every import; a rule may ask for more
	// MaxRecords is how many records of a batch go into one tracker request; 0 means 1,000.
	MaxRecords int
	// OrgUnitsChanged is called after org units were written: the snapshot is older than they are.
	OrgUnitsChanged func(context.Context)
	// Delivering is called when a batch begins to be sent, and what it gives when it has been: wrote
	// tells whether the server took anything. nil: nobody wants to know.
	Delivering func(context.Context) (done func(wrote bool))
}

// target delivers to one server; see actions.Target.
type target struct {
	server  Server
	index   func() *metadata.Index
	memory  actions.Memory
	options Options
	log     *slog.Logger
	traffic *traffic
	shapes  *shapes
	claims  identity.Claims
	persons persons
	asked   *asked.Answerer
	changed unitCounts
	waiting waitingUnits
}

// maxRecords is how many records DHIS2 gains from in one request.
const maxRecords = 1000

// NewTarget gives the target that delivers to a server. x gives the metadata of its last sync, for
// the names in outcomes; m is what the journal remembers of the server.
func NewTarget(s Server, x func() *metadata.Index, m actions.Memory, o Options) actions.Target {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.MaxRecords <= 0 {
		o.MaxRecords = maxRecords
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return &target{server: s, index: x, memory: m, options: o, log: o.Log, traffic: newTraffic(), shapes: newShapes(),
		asked: &asked.Answerer{Server: s, Now: o.Now, Zone: cmp.Or(o.Zone, time.UTC)}}
}

// Probe asks for something small that needs valid credentials; see actions.Target.
func (t *target) Probe(ctx context.Context) error {
	err := t.server.Ping(ctx)
	if e, ok := errors.AsType[*client.Error](err); ok && e.Kind == client.Unauthorized {
		return fmt.Errorf("%w: %w", actions.ErrRefused, err)
	}
	return err
}

// Deliver sends what the plans ask for; see actions.Target.
func (t *target) Deliver(ctx context.Context, plans []actions.Plan) []actions.Result {
	return t.run(ctx, plans, false)
}

// Answer answers what lookups ask; see actions.Asker.
func (t *target) Answer(ctx context.Context, questions []rules.Question) ([]actions.Answer, error) {
	return t.asked.Answer(ctx, questions)
}

// Unanswered is the outcome of a record whose lookup could not be answered; see actions.Asker.
func (t *target) Unanswered(err error) actions.Outcome { return codes.OfRequest(err) }

// Recorded forgets what is in the journal now; see actions.Recorder.
func (t *target) Recorded(results []actions.Result) {
	for _, r := range results {
		t.traffic.recorded(r.Digests)
	}
	t.unlockShared(context.Background(), results)
}

// Rehearse asks the server to validate without writing; see actions.Target.
func (t *target) Rehearse(ctx context.Context, plans []actions.Plan) []actions.Result {
	return t.run(ctx, plans, true)
}

// maxAttempts bounds how often a record is tried at once, after its people were looked up again or got new ids.
const maxAttempts = 5

func (t *target) run(ctx context.Context, plans []actions.Plan, rehearse bool) []actions.Result {
	d := newDelivery(t, plans, rehearse)
	defer t.traffic.begin()()
	defer t.persons.end(d)
	answered := false
	defer func() {
		if !answered { // it broke down
			t.unlockShared(ctx, d.results())
		}
	}()
	done := func(bool) {}
	if t.options.Delivering != nil && !rehearse {
		done = t.options.Delivering(ctx)
	}
	wrote := false
	defer func() { done(wrote) }()
	d.run(ctx)
	results := d.results()
	answered = true
	wrote = anyWritten(results)
	return results
}

// anyWritten tells whether the server took anything.
func anyWritten(results []actions.Result) bool {
	for _, r := range results {
		for _, o := range r.Outcomes {
			if o.Status == actions.Delivered {
				return true
			}
		}
	}
	return false
}

// run delivers what can be, and tries records again whose people were looked up again or got new ids.
func (d *delivery) run(ctx context.Context) {
	if err := d.book.Resolve(ctx); err != nil {
		failAll(d.jobs, codes.Later("the journal could not be read", err))
		return
	}
	active := unsettled(d.jobs)
	for range maxAttempts {
		if len(active) == 0 {
			break
		}
		if err := d.assign(ctx, active); err != nil {
			failAll(active, codes.Later("the journal could not be read", err))
			break
		}
		d.waves(ctx, unsettled(active))
		active = requeued(active)
	}
}
