package postgres

import (
	"github.com/jackc/pgx/v5"

	"github.com/culvert/culvert/engine/journal"
	"github.com/culvert/culvert/engine/journal/internal/codec"
)

// outcomes are outcomes to be kept together.
type outcomes struct {
	seqs, newer                                            []int64
	classes, codes, causes, hints, objects, fields, places []*string
	ids                                                    []string
	privates                                               [][]byte
}

// Of the texts of a problem, these are hidden: cause, hint and object.
const hiddenFrom, hiddenTo = 2, 4

func (o *outcomes) add(s *Store, seq int64, p *journal.Problem, private []byte, objects []string, by int64) {
	texts := [7]*string{}
	if p != nil {
		for i, text := range [7]string{string(p.Class), p.Code, p.Message, p.Hint, p.Object, p.Field,
			p.Place.String()} {
			if text = clean(text); i >= hiddenFrom && i <= hiddenTo {
				text = s.sealer.Hide(text)
			}
			texts[i] = &text
		}
	}
	o.newer = append(o.newer, by)
	o.seqs, o.ids, o.privates = append(o.seqs, seq), append(o.ids, clean(codec.Objects(objects))),
		append(o.privates, private)
	for i, list := range []*[]*string{&o.classes, &o.codes, &o.causes, &o.hints, &o.objects, &o.fields, &o.places} {
		*list = append(*list, texts[i])
	}
}

func (o *outcomes) queue(b *pgx.Batch) {
	if len(o.seqs) == 0 {
		return
	}
	b.Queue(`INSERT INTO outcomes (seq, class, code, cause, hint, object, field, place, private, objects, superseded_by)
		SELECT * FROM unnest($1::bigint[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[],
		$8::text[], $9::bytea[], $10::text[], $11::bigint[])
		ON CONFLICT (seq) DO UPDATE SET class = excluded.class, code = excluded.code, cause = excluded.cause,
		hint = excluded.hint, object = excluded.object,
		field = excluded.field, place = excluded.place, private = excluded.private, objects = excluded.objects,
		superseded_by = excluded.superseded_by`,
		o.seqs, o.classes, o.codes, o.causes, o.hints, o.objects, o.fields, o.places, o.privates, o.ids, o.newer)
}
