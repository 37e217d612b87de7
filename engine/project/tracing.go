package project

import (
	"net/url"

	"github.com/culvert/culvert/rules/settings"
)

// Tracing says where a collector is told of the parts of each record's way.
type Tracing struct {
	Endpoint Text
	Headers  map[string]Text
	Percent  float64 // of records that are traced
}

// texts lists what may come from the environment or from files.
func (t *Tracing) texts() []Text {
	out := []Text{t.Endpoint}
	for _, h := range t.Headers {
		out = append(out, h)
	}
	return out
}

// tracingKeys declares where traces go.
func tracingKeys() []settings.Field {
	return []settings.Field{
		{Name: "endpoint", Type: settings.Value, Required: true, Hint: "write endpoint: http://127.0.0.1:4318",
			Doc: "address of the collector, which takes OTLP over HTTP; /v1/traces is added where it is missing"},
		headersKey(),
		{Name: "percent", Type: settings.Number, Max: 100, Default: "100",
			Doc: "how many of a hundred records are traced"},
	}
}

// tracing reads where traces go.
func (p *parser) tracing(r settings.Reader) *Tracing {
	t := &Tracing{Endpoint: p.value(r, "endpoint"), Headers: map[string]Text{}, Percent: r.Number("percent")}
	if t.Endpoint.Literal() {
		if u, err := url.Parse(t.Endpoint.raw); err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
			p.report(r.Node("endpoint"), "bad-value", "this is no address of a collector",
				"write it as http://127.0.0.1:4318 or https://collector.example.org")
		}
	}
	if headers, ok := r.Sub("headers"); ok {
		for _, h := range headers.Config.Pairs() {
			t.Headers[h.Key.Value] = p.value(headers, h.Key.Value)
		}
	}
	return t
}
