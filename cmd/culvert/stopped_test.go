package main

import (
	"context"
	"io"
	"testing"

	"github.com/culvert/culvert/engine/project"
)

// A run that is told to stop while it begins ends well: services are stopped at any moment.
func TestStoppedBeforeItBegan(t *testing.T) {
	t.Parallel()
	ctx, stop := context.WithCancel(t.Context())
	stop()
	a := &app{dir: exampleProject(t, "anc"), stdout: io.Discard, stderr: io.Discard,
		loader: &project.Loader{Sources: project.SourceKinds(), Actions: project.ActionKinds()}}
	if err := a.runProject(ctx, nil); err != nil {
		t.Error(err)
	}
}
