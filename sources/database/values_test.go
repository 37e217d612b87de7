package database

import (
	"github.com/culvert/culvert/sources/sourcetest"

	"testing"

	"github.com/google/go-cmp/cmp"
	_ "github.com/jackc/pgx/v5/stdlib" // the driver "pgx"
)

func TestValues(t *testing.T) {
	for _, e := range engines(t) {
		t.Run(e.name, func(t *testing.T) {
			var text string
			want := map[string]any{
				"small": 7.0, "big": "9007199254740993", "price": 12.5, "half": 0.5, "name": "Zoë", "day": "2026-08-01",
				"none": nil, "long": "1234567890.12345678901",
			}
			switch e.name {
			case "SQLite":
				table := e.table(t, "small INTEGER, big BIGINT, price DECIMAL(9,2), half REAL, name TEXT, day DATE, none TEXT, "+
					"long TEXT, at DATETIME, yes BOOLEAN")
				e.exec(t, "INSERT INTO "+table+" VALUES (7, 9007199254740993, 12.50, 0.5, 'Zoë', '2026-08-01', NULL, "+
					"'1234567890.12345678901', '2026-08-01 10:00:00+03:00', 1)")
				text = "SELECT * FROM " + table
				want["at"], want["yes"] = "2026-08-01 10:00:00+03:00", 1.0
			case "PostgreSQL":
				text = `SELECT 7::int2 AS small, 9007199254740993::int8 AS big, 12.50::numeric AS price, 0.5::float4 AS half,
					'Zoë'::varchar AS name, DATE '2026-08-01' AS day,
					NULL::text AS none, 1234567890.12345678901::numeric AS long, TIMESTAMPTZ '2026-08-01 10:00:00+03' AS at,
					TIMESTAMP '2026-08-01 10:00:00.5' AS local_at,
					true AS yes, '{"visits": [{"bp": 120}]}'::jsonb AS form, '6f2c9d3e-0000-4000-8000-000000000001'::uuid AS id,
					'yes'::bytea AS raw, '\xff00'::bytea AS blob,
					'NaN'::float8 AS nan, TIME '10:00' AS clock`
				want["at"], want["local_at"], want["yes"] = "2026-08-01T07:00:00Z", "2026-08-01T10:00:00.5", true
				want["form"] = map[string]any{"visits": []any{map[string]any{"bp": 120.0}}}
				want["id"], want["raw"], want["blob"], want["nan"], want["clock"] = "6f2c9d3e-0000-4000-8000-000000000001", "yes",
					"/wA=", nil, "10:00:00"
			case "MariaDB":
				table := e.table(t, "small SMALLINT, big BIGINT UNSIGNED, price DECIMAL(9,2), half FLOAT, name VARCHAR(20) "+
					"CHARACTER SET utf8mb4, day DATE, none TEXT, `long` DECIMAL(30,11), at TIMESTAMP, local_at DATETIME(3), yes "+
					"BIT(1), form JSON, raw VARBINARY(10), zero DATETIME")
				e.exec(t, "SET SESSION sql_mode=''")
				e.exec(t, "INSERT INTO "+table+" VALUES (7, 9007199254740993, 12.50, 0.5, 'Zoë', '2026-08-01', NULL, "+
					"1234567890.12345678901, FROM_UNIXTIME(1785567600), '2026-08-01 10:00:00.5', b'1', '{\"visits\": 2}', x'ff00', "+
					"NULL)")
				text = "SELECT * FROM " + table
				want["at"], want["local_at"], want["yes"], want["form"], want["raw"], want["zero"] = "2026-08-01T07:00:00Z",
					"2026-08-01T10:00:00.5", true, `{"visits": 2}`, "/wA=", nil
			}
			d, s := e.open(t), sourcetest.New()
			if err := d.All(t.Context(), query(text), delivery(s)); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff([]any{want}, s.Bodies()); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// SQLite keeps whatever bytes a program writes as text. What is not UTF-8 is read in the encoding
// that the rule declares; without one it carries the mark of lost letters, with which a record
// fails where the text is used.
func TestTextThatIsNotUTF8(t *testing.T) {
	e := engines(t)[0]
	table := e.table(t, "name TEXT")
	e.exec(t, "INSERT INTO "+table+" VALUES (CAST(x'5a6fe9' AS TEXT))")
	for encoding, want := range map[string]string{"": "Zo\uFFFD", "windows-1252": "Zoé", "windows-1251": "Zoй"} {
		d, s := e.open(t), sourcetest.New()
		q := query("SELECT * FROM " + table)
		q.Encoding = encoding
		if err := d.All(t.Context(), q, delivery(s)); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]any{map[string]any{"name": want}}, s.Bodies()); diff != "" {
			t.Error(encoding, diff)
		}
	}
}
