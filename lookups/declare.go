package lookups

import (
	"errors"
	"strings"
	"time"

	"github.com/culvert/culvert/rules/diag"
	"github.com/culvert/culvert/rules/expression"
	"github.com/culvert/culvert/rules/settings"
	"github.com/culvert/culvert/rules/yamlnode"
)

// Common is what lookups of all kinds have.
type Common struct {
	Long  time.Duration // how long an answer may be used again
	All   bool          // the lookup is the list of all that is found
	Whole bool          // it asks for the same whatever the record says

	at     *yamlnode.Node // of the connection's name
	kind   string         // of the connection
	same   string
	sample *expression.Shape
	title  string
}

// maxCache is how long answers are kept at most.
const maxCache = 7 * 24 * time.Hour

// ConnectionField declares the key that names the system that is asked.
func ConnectionField(hint string) settings.Field {
	return settings.Field{Name: "connection", Required: true, Hint: hint,
		Doc: "the system that is asked, one of `connections:` in culvert.yaml"}
}

// CommonFields declares the keys of Common but for the connection, whose words are the kind's.
func CommonFields() []settings.Field {
	return []settings.Field{
		{Name: "take", Type: settings.Word, Words: []string{"all"}, LeftOut: "the one that is found",
			Doc: "`all` for the list of all that is found"},
		{Name: "cache", Type: settings.Duration, Most: maxCache,
			LeftOut: "10m for lists that are read whole; everything else is asked for with every batch",
			Doc:     "how long an answer may be used again, such as 10m"},
	}
}

// ReadCommon reads what CommonFields declares, and the connection, which has to be of a kind.
func ReadCommon(r settings.Reader, kind string) Common {
	c := Common{
		Long: r.Duration("cache"),
		All:  r.Has("take") && r.Word("take") == "all",
		at:   r.Node("connection"),
		kind: kind,
	}
	if s := r.Node("sample"); s != nil {
		c.sample = sampleShape(s)
	}
	if c.at != nil {
		c.title = c.at.Value
	}
	return c
}

// listsKept is how long a list that is read whole is kept where the rule does not say: read with every batch, a long one
// would be read all day.
const listsKept = 10 * time.Minute

// KeepList has a list that is read whole kept, where cache does not say how long.
func (c *Common) KeepList(r settings.Reader) {
	if !r.Has("cache") {
		c.Long = listsKept
	}
}

// LongestReading bounds how long the pages of one lookup may come, each in time: the batch waits for them.
const LongestReading = 15 * time.Minute

// sampleShape is the shape of what a lookup finds, as its sample says.
func sampleShape(s *yamlnode.Node) *expression.Shape {
	var found []any
	switch v := s.Plain().(type) {
	case nil:
	case []any:
		found = v
	default:
		found = []any{v}
	}
	if len(found) == 0 {
		return nil
	}
	return expression.ShapeOf(found...)
}

// Identify says what the lookup asks for, so that others that ask for the same share the answers.
func (c *Common) Identify(parts ...string) {
	c.same = strings.Join(append([]string{c.title}, parts...), "\x00")
}

// Same implements Asked.
func (c *Common) Same() string { return c.same }

// Connection implements Asked.
func (c *Common) Connection() (*yamlnode.Node, string) { return c.at, c.kind }

// ConnectionName is the connection's name in culvert.yaml.
func (c *Common) ConnectionName() string { return c.title }

// Fields implements rules.Asked: any may be named.
func (c *Common) Fields() []string { return nil }

// IsList implements rules.Asked.
func (c *Common) IsList() bool { return c.All }

// AsksNothing implements rules.AsksNothing.
func (c *Common) AsksNothing() bool { return c.Whole }

// Where names what is asked, for messages.
func (c *Common) Where() string { return "the connection " + c.title }

// Shape gives what is known of one answer: what the sample has, else nothing.
func (c *Common) Shape() *expression.Shape {
	if c.sample == nil {
		return expression.Dynamic()
	}
	return c.sample
}

// Where gives the groups of fields that a lookup is asked by: where:, or those of any_of:.
func Where(n *yamlnode.Node) (groups []*yamlnode.Node) {
	for _, key := range []string{"where", "any_of"} {
		switch g := n.Get(key); {
		case g == nil:
		case g.Kind == yamlnode.Mapping:
			groups = append(groups, g)
		default:
			groups = append(groups, g.Items()...)
		}
	}
	return groups
}

// Wrong reports a problem with the text of a key.
func Wrong(r settings.Reader, key, code string, err error) { WrongAt(r, r.Node(key), code, err) }

// WrongAt reports a problem at a place.
func WrongAt(r settings.Reader, n *yamlnode.Node, code string, err error) {
	if p, ok := errors.AsType[*diag.Problem](err); ok {
		r.Wrong(n, code, p.Message, p.Hint)
	}
}
