package project

import (
	"slices"

	"github.com/culvert/culvert/actions"
	actioncommcare "github.com/culvert/culvert/actions/commcare"
	"github.com/culvert/culvert/actions/dhis2"
	"github.com/culvert/culvert/actions/dhis2/metadata"
	"github.com/culvert/culvert/actions/httpreq"
	actionkobo "github.com/culvert/culvert/actions/kobo"
	"github.com/culvert/culvert/lookups"
	lookupcommcare "github.com/culvert/culvert/lookups/commcare"
	lookupdb "github.com/culvert/culvert/lookups/database"
	"github.com/culvert/culvert/lookups/records"
	"github.com/culvert/culvert/lookups/web"
	"github.com/culvert/culvert/rules"
	"github.com/culvert/culvert/sources"
	"github.com/culvert/culvert/sources/commcare"
	"github.com/culvert/culvert/sources/database"
	sourcedhis2 "github.com/culvert/culvert/sources/dhis2"
	"github.com/culvert/culvert/sources/files"
	"github.com/culvert/culvert/sources/httpget"
	"github.com/culvert/culvert/sources/kobo"
	"github.com/culvert/culvert/sources/mail"
	"github.com/culvert/culvert/sources/odk"
	"github.com/culvert/culvert/sources/s3"
	"github.com/culvert/culvert/sources/schedule"
	"github.com/culvert/culvert/sources/sftp"
	"github.com/culvert/culvert/sources/tabular"
	"github.com/culvert/culvert/sources/webhook"
)

// ActionMaker gives the kinds of actions of one package, which check and compile against the
// snapshot of one server; x is nil where there is none yet.
type ActionMaker func(x *metadata.Index, o actions.Options) []actions.Kind

// ActionKinds lists the packages of actions that exist; a new one is one package and one line here.
func ActionKinds() []ActionMaker {
	return []ActionMaker{
		dhis2.Kinds,
		anywhere(httpreq.Kinds),
		anywhere(actioncommcare.Kinds),
		anywhere(actionkobo.Kinds),
	}
}

// anywhere makes the kinds of a package that needs no snapshot.
func anywhere(kinds func(actions.Options) []actions.Kind) ActionMaker {
	return func(_ *metadata.Index, o actions.Options) []actions.Kind { return kinds(o) }
}

// ActionTarget makes what delivers to a connection.
type ActionTarget func(c actions.Connection, o actions.TargetOptions) (actions.Target, error)

// ActionTargets gives, by the kind of a connection, what actions deliver to it with.
func ActionTargets() map[string]ActionTarget {
	return map[string]ActionTarget{
		httpreq.ConnectionKind:        httpreq.NewTarget,
		actioncommcare.ConnectionKind: actioncommcare.NewTarget,
		actionkobo.ConnectionKind:     actionkobo.NewTarget,
	}
}

// LookupKinds is the registry of the other systems that lookups ask: a new one is one package and one line here.
func LookupKinds() []lookups.Kind {
	return []lookups.Kind{
		web.Kind{},
		lookupdb.Kind{},
		records.Kind{},
		lookupcommcare.Kind{},
	}
}

// AskedKind gives what lookups may ask for: the server of a snapshot, and other systems.
func AskedKind(x *metadata.Index) rules.AskedKind {
	return append(rules.AskedKinds{dhis2.Asked(x)}, askedElsewhere()...)
}

// askedElsewhere gives what lookups may ask for where there is no snapshot yet.
func askedElsewhere() (kinds rules.AskedKinds) {
	for _, k := range LookupKinds() {
		kinds = append(kinds, k)
	}
	return kinds
}

// SourceKinds is the registry of the kinds of triggers: a new one is one package and one line here.
func SourceKinds() []sources.Kind {
	return []sources.Kind{
		webhook.Kind{},
		files.Kind{},
		database.Kind{},
		schedule.Kind{},
		commcare.Kind{},
		kobo.Kind{},
		odk.Kind{},
		sftp.Kind(),
		s3.Kind(),
		mail.Kind(),
		sourcedhis2.Kind{},
	}
}

// Systems lists the kinds of outside systems that rules name as connections: those of triggers, and
// web APIs.
func Systems(kinds []sources.Kind) []sources.System {
	var list []sources.System
	for _, k := range kinds {
		c, ok := k.(sources.Connected)
		if ok && SystemNamed(list, c.Connection().Name) == nil {
			list = append(list, c)
		}
	}
	return append(list, httpget.System{})
}

// SystemNamed gives the system of a kind of connection, nil when there is none.
func SystemNamed(list []sources.System, kind string) sources.System {
	i := slices.IndexFunc(list, func(s sources.System) bool { return s.Connection().Name == kind })
	if i < 0 {
		return nil
	}
	return list[i]
}

// ConnectionKinds lists the kinds of outside systems that rules name, each once.
func ConnectionKinds() []sources.ConnectionKind {
	var list []sources.ConnectionKind
	for _, s := range Systems(SourceKinds()) {
		list = append(list, s.Connection())
	}
	return list
}

// FileFormat gives how the files of a trigger are read; the zero format where it takes none.
func FileFormat(t *rules.Trigger) tabular.Format {
	for _, k := range SourceKinds() {
		if takes, ok := k.(tabular.Taker); ok && k.Name() == t.Kind {
			return takes.FileFormat(t)
		}
	}
	return tabular.Format{}
}
