package main

import (
	"context"
	"fmt"

	"github.com/culvert/culvert/engine/project"
	"github.com/culvert/culvert/engine/sample"
	"github.com/culvert/culvert/engine/scaffold"
	"github.com/culvert/culvert/sources"
)

// pulled takes the trigger that was given whole, and a sample of what its source holds.
func (a *app) pulled(ctx context.Context, p *project.Project, r *scaffold.Request, text string) error {
	t, err := triggerOf(p, text)
	if err != nil {
		return err
	}
	if r.Bodies, err = a.peek(ctx, p, sources.Bound{Rule: r.Name, Server: r.Server, Trigger: t, Text: []byte(text)},
		fewRecords); err != nil {
		return err
	}
	r.Trigger, r.Address, r.Config, r.Rows = t.Kind, "", text, t.About.Tables
	r.Sample, err = a.writeSample(t, r.Name, "", pseudonyms(r.Bodies, sample.Keeps(p, t, nil, r.Server)))
	if err != nil {
		return err
	}
	fmt.Fprintf(a.stdout, "%s written: %s of the source; %s\n", r.Sample, count(int64(len(r.Bodies)), "record", "records"),
		afterSampling(false))
	return nil
}
