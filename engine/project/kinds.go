package project

import (
	"slices"

	"github.com/culvert/culvert/actions"
	"github.com/culvert/culvert/actions/dhis2"
	"github.com/culvert/culvert/actions/dhis2/metadata"
	"github.com/culvert/culvert/rules"
	"github.com/culvert/culvert/sources"
	"github.com/culvert/culvert/sources/commcare"
	"github.com/culvert/culvert/sources/database"
	"github.com/culvert/culvert/sources/files"
	"github.com/culvert/culvert/sources/kobo"
	"github.com/culvert/culvert/sources/odk"
	"github.com/culvert/culvert/sources/schedule"
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
	}
}

// AskedKind gives what lookups may ask the server of a snapshot for.
func AskedKind(x *metadata.Index) rules.AskedKind { return dhis2.Asked(x) }

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
	}
}

// ConnectionKinds lists the kinds of outside systems that triggers name, each once.
func ConnectionKinds() []sources.ConnectionKind {
	var list []sources.ConnectionKind
	for _, k := range SourceKinds() {
		c, ok := k.(sources.Connected)
		if !ok {
			continue
		}
		kind := c.Connection()
		if !slices.ContainsFunc(list, func(o sources.ConnectionKind) bool { return o.Name == kind.Name }) {
			list = append(list, kind)
		}
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
