package sandbox

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// reserved answers the resources of generated attributes: generate, generateAndReserve and requiredValues. It tells whether it did.
func (c *metadataCall) reserved() bool {
	what := c.at(2)
	if what != "generate" && what != "generateAndReserve" && what != "requiredValues" {
		return false
	}
	a := c.catalog.attributes[c.at(1)]
	if a == nil {
		c.fail(http.StatusNotFound, "E1005", "TrackedEntityAttribute with id "+c.at(1)+" could not be found.")
		return true
	}
	if !a.generated {
		c.fail(http.StatusConflict, "", "The attribute "+a.uid+" has no pattern from which values are generated.")
		return true
	}
	if what == "requiredValues" {
		c.json(http.StatusOK, requiredValues(a.pattern))
		return true
	}
	n := 1
	if what == "generateAndReserve" {
		n = min(positive(c.query.Get("numberToReserve"), 1), 1000)
	}
	days := positive(c.query.Get("expiration"), 60)
	if what == "generate" {
		days = positive(c.query.Get("expiration"), 3)
	}
	now := c.now()
	out := make([]any, 0, n)
	st := c.store
	st.mu.Lock()
	defer st.mu.Unlock()
	for range n {
		value, err := c.generate(a, now)
		if err != nil {
			c.fail(http.StatusConflict, "", err.Error())
			return true
		}
		out = append(out, object{"ownerObject": "TRACKEDENTITYATTRIBUTE", "ownerUid": a.uid, "key": a.pattern, "value": value, "created": stamp(now),
			"expiryDate": stamp(now.AddDate(0, 0, days))})
	}
	if what == "generate" {
		c.json(http.StatusOK, out[0])
	} else {
		c.json(http.StatusOK, out)
	}
	return true
}

// patternPart is one part of a text pattern: "text", or NAME(format).
var patternPart = regexp.MustCompile(`^\s*(?:"([^"]*)"|([A-Z_]+)\(([^)]*)\))\s*(\+|$)`)

func requiredValues(pattern string) object {
	required, optional := []string{}, []string{}
	for rest := pattern; rest != ""; {
		m := patternPart.FindStringSubmatch(rest)
		if m == nil {
			break
		}
		switch m[2] {
		case "ORG_UNIT_CODE":
			required = append(required, m[2])
		case "RANDOM", "SEQUENTIAL":
			optional = append(optional, m[2])
		}
		rest = rest[len(m[0]):]
	}
	return object{"REQUIRED": required, "OPTIONAL": optional}
}

// generate makes a value of a pattern that nobody holds yet (DHIS2 TextPattern).
func (c *metadataCall) generate(a *attribute, now time.Time) (string, error) {
	for range 1000 {
		value, err := c.fromPattern(a, now)
		if err != nil {
			return "", err
		}
		if len(c.store.holdersOf(a.uid, value)) == 0 {
			return value, nil
		}
	}
	return "", fmt.Errorf("all values of the pattern %s are taken", a.pattern)
}

func (c *metadataCall) fromPattern(a *attribute, now time.Time) (string, error) {
	var b strings.Builder
	for rest := a.pattern; rest != ""; {
		m := patternPart.FindStringSubmatch(rest)
		if m == nil {
			return "", fmt.Errorf("the pattern %s of attribute %s cannot be read", a.pattern, a.uid)
		}
		rest = rest[len(m[0]):]
		switch m[2] {
		case "":
			b.WriteString(m[1])
		case "RANDOM":
			b.WriteString(randomLike(m[3]))
		case "SEQUENTIAL":
			n := c.store.reservedCount[a.uid] + 1
			c.store.reservedCount[a.uid] = n
			digits := strconv.Itoa(n)
			if len(digits) > len(m[3]) {
				return "", fmt.Errorf("all values of the pattern %s are taken", a.pattern)
			}
			b.WriteString(strings.Repeat("0", len(m[3])-len(digits)) + digits)
		case "CURRENT_DATE":
			b.WriteString(now.Format(strings.NewReplacer("yyyy", "2006", "YYYY", "2006", "yy", "06", "MM", "01", "dd", "02").Replace(m[3])))
		case "ORG_UNIT_CODE":
			code := c.query.Get("ORG_UNIT_CODE")
			if code == "" {
				return "", dhis2Words("Missing required values: [ORG_UNIT_CODE]")
			}
			n := strings.Count(m[3], ".")
			if n > 0 && n < len(code) {
				if strings.HasSuffix(m[3], "$") {
					code = code[len(code)-n:]
				} else {
					code = code[:n]
				}
			}
			b.WriteString(code)
		default:
			return "", fmt.Errorf("the part %s of the pattern %s is not known", m[2], a.pattern)
		}
	}
	return b.String(), nil
}

// randomLike fills a format: # a digit, X an upper letter, x a lower one, * any of them.
func randomLike(format string) string {
	out := []byte(format)
	for i, f := range out {
		set := ""
		switch f {
		case '#':
			set = "0123456789"
		case 'X':
			set = letters[26:]
		case 'x':
			set = letters[:26]
		case '*':
			set = alphanumeric
		default:
			continue
		}
		out[i] = set[rand.IntN(len(set))]
	}
	return string(out)
}
