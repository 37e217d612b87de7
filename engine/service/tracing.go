package service

import (
	"context"
	"errors"
	"os"

	"github.com/culvert/culvert/engine/tracing"
)

// errNoTracing says that culvert.yaml names no collector any more; it was there at the start.
var errNoTracing = errors.New("culvert.yaml says nothing of tracing: any more")

// startTracing makes what tells a collector of records, when culvert.yaml asks for it.
func (s *Service) startTracing() {
	t := s.started.Tracing
	if t == nil {
		return
	}
	host, _ := os.Hostname() // to recognise the run among several
	s.tracer = tracing.New(tracing.Options{Project: s.started.Project, Version: s.o.Version, Runner: host,
		Percent: t.Percent, Target: s.traceTarget, Log: s.o.Log})
}

// traceTarget gives the collector's address and headers as they are now.
func (s *Service) traceTarget() (endpoint string, headers map[string]string, err error) {
	t := s.current.Load().Config.Tracing
	if t == nil {
		return "", nil, errNoTracing
	}
	if endpoint, err = t.Endpoint.Resolve(); err != nil {
		return "", nil, err
	}
	headers = make(map[string]string, len(t.Headers))
	for name, value := range t.Headers {
		if headers[name], err = value.Resolve(); err != nil {
			return "", nil, err
		}
	}
	return endpoint, headers, nil
}

// endTracing sends the last spans. That they cannot be sent is no failure of the run.
func (s *Service) endTracing() {
	if err := s.tracer.Close(context.Background()); err != nil {
		s.o.Log.Warn("the last traces are lost", "error", err)
	}
}
