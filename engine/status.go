package engine

import (
	"errors"
	"maps"
	"slices"

	"github.com/culvert/culvert/engine/status"
)

// Status gives how this runner stands.
func (r *Runner) Status() status.Runner {
	prog := r.gate.Program()
	s := status.Runner{Owner: r.owner, At: r.now(), Started: r.started, Leading: r.gate.Leading(), Rules: prog.Count()}
	for _, name := range prog.Names() {
		switch f := prog.Rules[name]; {
		case f.Part != "": // it stands as the first part does
		case f.Invalid != nil:
			s.Invalid = append(s.Invalid, name)
		case f.Rule.Delivery.Disabled:
			s.Disabled = append(s.Disabled, name)
		case f.Rule.Delivery.Closed(s.At):
			s.Closed = append(s.Closed, status.Closed{Rule: name, Opens: f.Rule.Delivery.Window.Next(s.At)})
		}
	}
	for _, name := range slices.Sorted(maps.Keys(r.dispatchers)) {
		server := r.dispatchers[name].Status()
		for _, rule := range prog.Names() {
			if prog.Rules[rule].Server == name {
				server.Rules = append(server.Rules, rule)
			}
		}
		s.Servers = append(s.Servers, server)
	}
	s.Conditions = status.Sorted(&r.conditions, &r.outside)
	return s
}

// Health says whether this runner does its work; err names the first thing that stops it. Failed
// records do not, nor a server that lacks its secret: they are for people, and no other runner
// could do more.
func (r *Runner) Health() error {
	for _, name := range slices.Sorted(maps.Keys(r.dispatchers)) {
		s := r.dispatchers[name].Status()
		if c := s.Concern(); c != "" && s.State != status.ServerUnusable {
			return errors.New(c)
		}
	}
	for _, what := range r.conditions.Texts() {
		return errors.New(what)
	}
	return nil
}

// Conditions lists what SetCondition has said, by subject, and the servers that lack what is needed to reach them.
func (r *Runner) Conditions() []string {
	list := r.outside.Texts()
	for _, name := range slices.Sorted(maps.Keys(r.dispatchers)) {
		if s := r.dispatchers[name].Status(); s.State == status.ServerUnusable {
			list = append(list, s.Concern())
		}
	}
	return list
}
