package journaltest

import (
	"fmt"
	"strings"
	"time"

	"github.com/culvert/culvert/engine/journal"
	"github.com/culvert/culvert/sources"
)

// Form gives the nth record of a load: a form of about 600 bytes of a woman of her own.
func Form(n int64) *journal.Record {
	return &journal.Record{
		Rule: "anc-registration", ID: fmt.Sprintf("%08x-7d2a-4c11-9e3f-%012x", uint32(n*2654435761), n),
		Key:     fmt.Sprintf("case-%012x", n*7919),
		Content: uint64(n) + 1, State: journal.Pending, Received: time.Unix(1_772_438_400, n*1000),
		Origin: sources.Origin{Trigger: "webhook", Remote: "192.0.2.10"},
		Body: fmt.Appendf(nil, `{"form":{"@name":"ANC registration","case":{"@case_id":"case-%012x"},`+
			`"visit_date":"2026-03-02","notes":"%s"}}`, n*7919, strings.Repeat("x", 480)),
	}
}
