package doctor

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/culvert/culvert/engine/project"
	"github.com/culvert/culvert/sources/httpget"
)

// connections says of every other system that culvert.yaml names whether it answers and lets us in.
func (d *doctor) connections(ctx context.Context) {
	var asked []string
	for _, c := range d.Project.Config.Connections {
		if slices.Contains(asked, c.Name) || ctx.Err() != nil {
			continue
		}
		asked = append(asked, c.Name)
		d.connection(ctx, c.Name, c.Kind)
	}
}

func (d *doctor) connection(ctx context.Context, name, kind string) {
	if d.Offline {
		d.add(Check{Name: "connection", Of: name, Status: Skipped, What: "it was not asked (--offline)"})
		return
	}
	system := project.SystemNamed(project.Systems(d.Kinds), kind)
	conn, err := d.Project.Config.Connection(name, d.Project.Dir)
	if err != nil || system == nil {
		return // what is missing was said of the secrets
	}
	ctx, cancel := context.WithTimeout(ctx, serverLimit)
	defer cancel()
	err = system.Ping(ctx, conn, d.Log)
	if err != nil && errors.Is(ctx.Err(), context.DeadlineExceeded) {
		err = fmt.Errorf("it did not answer within %s", serverLimit)
	}
	switch _, api := system.(httpget.System); {
	case err == nil:
		d.ok("connection", name, "it answers, and takes our credentials")
	case api: // one that is only sent to may have no answer for a reader
		d.warn("connection", name, "", "%v", err)
	default:
		d.fail("connection", name, "", "%v", err)
	}
}
