package project

import (
	"github.com/culvert/culvert/sources"
	"github.com/culvert/culvert/sources/commcare"
	"github.com/culvert/culvert/sources/database"
	"github.com/culvert/culvert/sources/files"
	"github.com/culvert/culvert/sources/schedule"
	"github.com/culvert/culvert/sources/webhook"
)

// SourceKinds lists the kinds of triggers that exist; a new one is one package and one line here.
func SourceKinds() []sources.Kind {
	return []sources.Kind{
		webhook.Kind{},
		files.Kind{},
		database.Kind{},
		schedule.Kind{},
		commcare.Kind{},
	}
}
