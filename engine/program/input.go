package program

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"strings"
	"time"

	"github.com/culvert/culvert/engine/journal"
	"github.com/culvert/culvert/rules"
	"github.com/culvert/culvert/sources"
	"github.com/culvert/culvert/sources/tree"
)

// Unidentified begins the id of a record whose rule could not give one; it is asked again when the record is sent.
const Unidentified = "Unidentified-"

// EncodeBody sets the record's body and the hash of its content.
func EncodeBody(rec *journal.Record, raw []byte, body any) error {
	if raw == nil {
		var err error
		if raw, err = tree.AppendJSON(make([]byte, 0, 512), body); err != nil {
			return err
		}
	}
	sum := sha256.Sum256(raw)
	rec.Body, rec.Content = raw, binary.BigEndian.Uint64(sum[:])
	return nil
}

// ContentID names a record by its content, where its rule does not.
func ContentID(rec *journal.Record) string {
	sum := sha256.Sum256(rec.Body)
	return hex.EncodeToString(sum[:12])
}

// InputOf gives a journal's record to its rule.
func InputOf(rec *journal.Record, body any) rules.Input {
	id := rec.ID
	if strings.HasPrefix(id, Unidentified) {
		id = ""
	}
	return rules.Input{Body: body, Source: SourceFields(rec.Origin, rec.Received), RecordID: id}
}

// SourceFields is what expressions see as `source`.
func SourceFields(o sources.Origin, received time.Time) map[string]any {
	fields := map[string]any{"trigger": o.Trigger, "received": received}
	for _, text := range [...]struct{ name, value string }{{"file", o.File}, {"sheet", o.Sheet}, {"query", o.Query}, {"remote", o.Remote}} {
		if text.value != "" {
			fields[text.name] = text.value
		}
	}
	if o.Row > 0 {
		fields["row"] = o.Row
	}
	if len(o.Headers) > 0 {
		headers := make(map[string]any, len(o.Headers))
		for name, value := range o.Headers {
			headers[name] = value
		}
		fields["headers"] = headers
	}
	return fields
}
