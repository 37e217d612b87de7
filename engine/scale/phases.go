package scale

import (
	"context"
	"fmt"
	"path/filepath"
	"time"
)

// peak posts the forms of a peak minute in the time that they have: the one phase that is not compressed.
func (r *rehearsal) peak(ctx context.Context, result *Result) error {
	before, err := scrape(ctx, r.client, r.runner.base)
	if err != nil {
		return err
	}
	n := max(1, int(float64(r.PeakMinute)*r.Peak.Minutes()))
	if result.Peak, err = r.post(ctx, n, r.Peak); err != nil {
		return err
	}
	if err := r.settle(ctx); err != nil {
		return err
	}
	after, err := scrape(ctx, r.client, r.runner.base)
	if err != nil {
		return err
	}
	result.PeakLag.P50, result.PeakLag.P99 = after.within(before, 0.5), after.within(before, 0.99)
	r.say("peak, not compressed: %d forms in %s, 99 of 100 kept within %s and delivered within %s", n,
		short(result.Peak.Took), short(result.Peak.P99), short(result.PeakLag.P99))
	return nil
}

// days are working days, one after another without a pause.
func (r *rehearsal) days(ctx context.Context, result *Result) (err error) {
	for range r.Days {
		var d day
		r.taken(ctx)
		began := time.Now()
		if d.Forms, err = r.post(ctx, r.DayForms, 0); err != nil {
			return err
		}
		if err := r.settle(ctx); err != nil {
			return err
		}
		d.Settled = time.Since(began)
		_, d.Backlog = r.taken(ctx)
		began = time.Now()
		name, err := r.drop()
		if err != nil {
			return err
		}
		if err := r.settle(ctx, name); err != nil {
			return err
		}
		d.Night = time.Since(began)
		d.Memory, _ = r.taken(ctx)
		d.StateEnd = folderSize(filepath.Join(r.dir, "state"))
		result.Memory = max(result.Memory, d.Memory)
		result.Days = append(result.Days, d)
		r.say("day %d: %d forms delivered in %s, the export of %d rows in %s; memory %s, journal and inbox %s", r.night,
			d.Forms.N, short(d.Settled), r.ExportRows, short(d.Night), size(d.Memory), size(d.StateEnd))
	}
	return nil
}

func (r *rehearsal) drop() (string, error) {
	r.night++
	return r.dropExport(r.dir, r.night)
}

// outage has DHIS2 away while forms and exports go on.
func (r *rehearsal) outage(ctx context.Context, result *Result) (err error) {
	if r.Outage == 0 {
		return nil
	}
	if err := r.server.away(); err != nil {
		return fmt.Errorf("take DHIS2 away: %w", err)
	}
	r.taken(ctx)
	if result.Outage.Forms, err = r.post(ctx, r.DayForms*r.Outage, 0); err != nil {
		return err
	}
	for range r.Outage {
		if _, err := r.drop(); err != nil {
			return err
		}
	}
	result.Outage.Days = r.Outage
	result.Outage.State = folderSize(filepath.Join(r.dir, "state"))
	result.Outage.Memory, result.Outage.Backlog = r.taken(ctx)
	result.Memory = max(result.Memory, result.Outage.Memory)
	r.say(
		"DHIS2 away for %d days: %d forms kept in %s (99 of 100 within %s), %d wait, and %d exports; memory %s, journal and inbox %s",
		r.Outage,
		result.Outage.Forms.N,
		short(result.Outage.Forms.Took),
		short(result.Outage.Forms.P99),
		result.Outage.Backlog,
		r.Outage,
		size(result.Outage.Memory),
		size(result.Outage.State),
	)
	return nil
}

// drain has DHIS2 back and waits until nothing waits any more.
func (r *rehearsal) drain(ctx context.Context, result *Result) error {
	if r.Outage == 0 {
		return nil
	}
	began := time.Now()
	if err := r.server.back(); err != nil {
		return err
	}
	var names []string
	for n := range r.Outage {
		names = append(names, exportName(r.night-n))
	}
	if err := r.settle(ctx, names...); err != nil {
		return err
	}
	d := drained{Forms: result.Outage.Forms.N, Rows: r.Outage * r.ExportRows, Took: time.Since(began)}
	d.Memory, _ = r.taken(ctx)
	result.Memory = max(result.Memory, d.Memory)
	result.Drain = d
	r.say("DHIS2 back: %d forms and %d rows in %s; memory %s", d.Forms, d.Rows, short(d.Took), size(d.Memory))
	return nil
}

// count compares what DHIS2 holds with what was sent: every woman once, every event once.
func (r *rehearsal) count(ctx context.Context, result *Result) error {
	f, err := scrape(ctx, r.client, r.runner.base)
	if err != nil {
		return err
	}
	if done := f.settled(); done > 0 {
		result.CPU = f.sum("process_cpu_seconds_total") / done * 1e6
	}
	result.Journal = folderSize(filepath.Join(r.dir, "state"))
	result.Kept = int64(r.forms.made)
	c := r.server.box.Counts()
	result.People, result.Events = c.TrackedEntities, c.Events
	events := r.forms.made
	if r.night > 0 {
		events += r.ExportRows
	}
	if c.TrackedEntities != r.forms.women || c.Events != events {
		return fmt.Errorf("DHIS2 holds %d people and %d events; %d and %d were sent", c.TrackedEntities, c.Events,
			r.forms.women, events)
	}
	r.say("DHIS2 holds %d people and %d events, each once; nothing is lost", c.TrackedEntities, c.Events)
	return nil
}
