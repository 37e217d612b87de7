package doctor

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/culvert/culvert/engine/project"
)

// Limits of what is said of a server.
const (
	clockOff     = time.Minute         // more than that is a warning
	clockWrong   = 10 * time.Minute    // and that a failure: visits of today are refused as of the future
	certSoon     = 21 * 24 * time.Hour // before a certificate's end
	snapshotOld  = 14 * 24 * time.Hour
	maxUnitsTold = 100
)

// asker is what a client of a server is asked here.
type asker interface {
	URL() string
	Ping(ctx context.Context) error
	Get(ctx context.Context, path string, query url.Values, out any) error
}

// server says whether one server can be reached and written to.
func (d *doctor) server(ctx context.Context, s *project.Server) {
	if d.Offline {
		d.add(Check{Name: "server", Of: s.Name, Status: Skipped, What: "it was not asked (--offline)"})
		d.snapshot(s, "")
		return
	}
	ctx, cancel := context.WithTimeout(ctx, serverLimit)
	defer cancel()
	cl, err := project.Connect(d.Project.Config, s, d.Project.Dir, d.Log, d.Version)
	if err != nil {
		d.fail("server", s.Name, "put it right in culvert.yaml", "%v", err)
		return
	}
	defer cl.Close()
	d.proxy(s, cl.URL())
	if err := cl.Ping(ctx); err != nil {
		d.fail("server", s.Name, "", "%v", err)
		d.certificate(ctx, s, cl.URL())
		return
	}
	d.ok("server", s.Name, "%s answers, and takes our credentials", cl.URL())
	d.certificate(ctx, s, cl.URL())
	d.snapshot(s, d.clock(ctx, s, cl))
	d.rights(ctx, s, cl)
}

// proxy says which proxy stands before a server.
func (d *doctor) proxy(s *project.Server, address string) {
	if s.Proxy.IsSet() {
		d.ok("proxy", s.Name, "requests go by the proxy of culvert.yaml")
		return
	}
	req, err := http.NewRequest(http.MethodGet, address, nil)
	if err != nil {
		return
	}
	u, err := http.ProxyFromEnvironment(req)
	switch {
	case err != nil:
		d.fail("proxy", s.Name, "HTTPS_PROXY is an address such as http://proxy.example.org:3128",
			"the proxy of the environment cannot be read: %v", err)
	case u != nil:
		d.ok("proxy", s.Name, "requests go by the proxy %s of the environment", u.Host)
	}
}

// certificate says how long the certificate of a server is still good. Whether it is to be trusted,
// the request before has said.
func (d *doctor) certificate(ctx context.Context, s *project.Server, address string) {
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "https" || s.Proxy.IsSet() {
		return
	}
	host := u.Host
	if u.Port() == "" {
		host = net.JoinHostPort(u.Hostname(), "443")
	}
	ctx, cancel := context.WithTimeout(ctx, dialTime)
	defer cancel()
	// Only its dates are read; nothing is sent over this connection.
	conn, err := (&tls.Dialer{Config: &tls.Config{InsecureSkipVerify: true, ServerName: u.Hostname()}}).DialContext(ctx,
		"tcp", host)
	if err != nil {
		return // a proxy of the environment, or the server is away, which has been said
	}
	defer conn.Close()
	state := conn.(*tls.Conn).ConnectionState()
	if len(state.PeerCertificates) == 0 {
		return
	}
	end := state.PeerCertificates[0].NotAfter
	switch left := end.Sub(d.Now()); {
	case left < 0:
		d.fail("certificate", s.Name, "have the server's administrator renew it", "it ended on %s", end.Format("2006-01-02"))
	case left < certSoon:
		d.warn("certificate", s.Name, "have the server's administrator renew it", "it ends on %s, in %d days",
			end.Format("2006-01-02"), int(left.Hours()/24))
	default:
		d.ok("certificate", s.Name, "it is good until %s", end.Format("2006-01-02"))
	}
}

// clock compares the server's clock with ours, and gives its version.
func (d *doctor) clock(ctx context.Context, s *project.Server, cl asker) string {
	var info struct {
		Version string `json:"version"`
		Date    string `json:"serverDate"`
		Zone    string `json:"serverTimeZoneId"`
	}
	before := d.Now()
	if err := cl.Get(ctx, "system/info", nil, &info); err != nil {
		d.add(Check{Name: "clock", Of: s.Name, Status: Skipped,
			What: fmt.Sprintf("the server's clock cannot be asked: %v", err)})
		return ""
	}
	zone, err := time.LoadLocation(info.Zone)
	if err != nil || info.Zone == "" {
		return info.Version
	}
	theirs, err := time.ParseInLocation("2006-01-02T15:04:05", strings.SplitN(info.Date, ".", 2)[0], zone)
	if err != nil {
		return info.Version
	}
	// The answer was made at some moment in between.
	off := theirs.Sub(before.Add(d.Now().Sub(before) / 2)).Round(time.Second)
	hint := "have both machines set their clocks by the network (timedatectl set-ntp true)"
	switch {
	case off.Abs() > clockWrong:
		d.fail("clock", s.Name, hint, "the server's clock is %s from ours: dates of today may be refused as of the future",
			off)
	case off.Abs() > clockOff:
		d.warn("clock", s.Name, hint, "the server's clock is %s from ours", off)
	default:
		d.ok("clock", s.Name, "the server's clock and ours agree")
	}
	ours := d.Project.Config.Zone
	if ours == nil {
		ours = time.UTC
	}
	_, here := d.Now().In(ours).Zone()
	_, there := d.Now().In(zone).Zone()
	if here != there {
		d.warn("time zone", s.Name, fmt.Sprintf("time_zone: %s in culvert.yaml, if the data is of that place", info.Zone),
			"the server is in %s, and times without a zone are read as %s: a visit near midnight may come to stand on "+
				"another day", info.Zone, ours)
	}
	return info.Version
}

// snapshot says whether the synced metadata is that of the server as it is.
func (d *doctor) snapshot(s *project.Server, version string) {
	index := d.Project.Indexes[s.Name]
	if index == nil {
		d.fail("metadata", s.Name, "run `culvert sync`", "no metadata of this server has been synced")
		return
	}
	known := index.Snapshot.Server
	switch age := d.Now().Sub(known.Synced); {
	case version != "" && version != known.Version:
		d.warn("metadata", s.Name, "run `culvert sync`, then `culvert validate`",
			"the server is %s now, and was %s at the last sync", version, known.Version)
	case age > snapshotOld:
		d.warn("metadata", s.Name, "run `culvert sync`, or have it done: sync: {every: 6h} in culvert.yaml",
			"the last sync was %d days ago", int(age.Hours()/24))
	default:
		d.ok("metadata", s.Name, "DHIS2 %s, synced on %s", known.Version, known.Synced.Format("2006-01-02 15:04"))
	}
}

// rights asks what the account may write now, and says which rules need what it may not.
func (d *doctor) rights(ctx context.Context, s *project.Server, cl asker) {
	var me struct {
		Username    string   `json:"username"`
		Authorities []string `json:"authorities"`
		Units       []struct {
			ID string `json:"id"`
		} `json:"organisationUnits"`
	}
	if err := cl.Get(ctx, "me", url.Values{"fields": {"username,authorities,organisationUnits[id]"}}, &me); err != nil {
		d.add(Check{Name: "rights", Of: s.Name, Status: Skipped,
			What: fmt.Sprintf("the account's rights cannot be asked: %v", err)})
		return
	}
	if len(me.Units) == 0 {
		d.fail("rights", s.Name, "give it the org units of your facilities as capture org units, in DHIS2's app Users",
			"user %s has no capture org unit, and may write no data", me.Username)
	}
	if slices.Contains(me.Authorities, "ALL") {
		d.warn("rights", s.Name, "an account with just the programs and data sets of the rules does less harm when its "+
			"token is stolen; see docs/servers.md",
			"user %s is a superuser: it may do everything", me.Username)
		return
	}
	uses := d.Project.Uses(s.Name)
	ids := make([]string, 0, len(uses))
	for id := range uses {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	refused := 0
	for _, kind := range []struct{ path, word string }{
		{"programs", "program"}, {"programStages", "stage"}, {"trackedEntityTypes", "type"}, {"dataSets", "data set"},
	} {
		for part := range slices.Chunk(ids, maxUnitsTold) {
			refused += d.mayWrite(ctx, s, cl, kind.path, kind.word, part, uses)
		}
	}
	if refused == 0 && len(me.Units) > 0 {
		d.ok("rights", s.Name, "user %s may write what the rules write", me.Username)
	}
}

// mayWrite names the objects of one kind that the account may not write data of, and counts them.
// Which uids are of the kind, the server knows.
func (d *doctor) mayWrite(ctx context.Context, s *project.Server, cl asker, path, word string, ids []string,
	uses project.Uses) int {
	answer := map[string][]struct {
		ID     string `json:"id"`
		Name   string `json:"name"`
		Access struct {
			Data struct {
				Write bool `json:"write"`
			} `json:"data"`
		} `json:"access"`
	}{}
	query := url.Values{"fields": {"id,name,access[data]"}, "filter": {"id:in:[" + strings.Join(ids, ",") + "]"},
		"paging": {"false"}}
	if err := cl.Get(ctx, path, query, &answer); err != nil {
		d.add(Check{Name: "rights", Of: s.Name, Status: Skipped,
			What: fmt.Sprintf("rights on %s cannot be asked: %v", path, err)})
		return 1
	}
	refused := 0
	for _, o := range answer[path] {
		if !o.Access.Data.Write {
			refused++
			d.fail("rights", s.Name, fmt.Sprintf("give the account data write access in the sharing settings of the %s", word),
				"the account may not write data of the %s %q%s",
				word, o.Name, uses.Of(o.ID))
		}
	}
	return refused
}
