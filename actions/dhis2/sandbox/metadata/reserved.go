package metadata

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/culvert/culvert/actions/dhis2/sandbox/catalog"
	"github.com/culvert/culvert/actions/dhis2/sandbox/dates"
	"github.com/culvert/culvert/actions/dhis2/sandbox/ids"
	"github.com/culvert/culvert/actions/dhis2/sandbox/rest"
)

// reserved answers the resources of generated attributes: generate, generateAndReserve and
// requiredValues. It tells whether it did.
func (c *call) reserved() bool {
	what := c.At(2)
	if what != "generate" && what != "generateAndReserve" && what != "requiredValues" {
		return false
	}
	a := c.Catalog.Attributes[c.At(1)]
	if a == nil {
		c.Fail(http.StatusNotFound, "E1005", "TrackedEntityAttribute with id "+c.At(1)+" could not be found.")
		return true
	}
	if !a.Generated {
		c.Fail(http.StatusConflict, "", "The attribute "+a.UID+" has no pattern from which values are generated.")
		return true
	}
	if what == "requiredValues" {
		c.JSON(http.StatusOK, requiredValues(a.Pattern))
		return true
	}
	n := 1
	if what == "generateAndReserve" {
		n = min(rest.Positive(c.Query.Get("numberToReserve"), 1), 1000)
	}
	days := rest.Positive(c.Query.Get("expiration"), 60)
	if what == "generate" {
		days = rest.Positive(c.Query.Get("expiration"), 3)
	}
	now := c.Now()
	out := make([]any, 0, n)
	st := c.Store
	st.Lock()
	defer st.Unlock()
	for range n {
		value, err := c.generate(a, now)
		if err != nil {
			c.Fail(http.StatusConflict, "", err.Error())
			return true
		}
		out = append(out, object{"ownerObject": "TRACKEDENTITYATTRIBUTE", "ownerUid": a.UID, "key": a.Pattern,
			"value": value, "created": dates.Stamp(now),
			"expiryDate": dates.Stamp(now.AddDate(0, 0, days))})
	}
	if what == "generate" {
		c.JSON(http.StatusOK, out[0])
	} else {
		c.JSON(http.StatusOK, out)
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
func (c *call) generate(a *catalog.Attribute, now time.Time) (string, error) {
	for range 1000 {
		value, err := c.fromPattern(a, now)
		if err != nil {
			return "", err
		}
		if len(c.Store.HoldersOf(a.UID, value)) == 0 {
			return value, nil
		}
	}
	return "", fmt.Errorf("all values of the pattern %s are taken", a.Pattern)
}

func (c *call) fromPattern(a *catalog.Attribute, now time.Time) (string, error) {
	var b strings.Builder
	for left := a.Pattern; left != ""; {
		m := patternPart.FindStringSubmatch(left)
		if m == nil {
			return "", fmt.Errorf("the pattern %s of attribute %s cannot be read", a.Pattern, a.UID)
		}
		left = left[len(m[0]):]
		switch m[2] {
		case "":
			b.WriteString(m[1])
		case "RANDOM":
			b.WriteString(randomLike(m[3]))
		case "SEQUENTIAL":
			n := c.Store.ReservedCount[a.UID] + 1
			c.Store.ReservedCount[a.UID] = n
			digits := strconv.Itoa(n)
			if len(digits) > len(m[3]) {
				return "", fmt.Errorf("all values of the pattern %s are taken", a.Pattern)
			}
			b.WriteString(strings.Repeat("0", len(m[3])-len(digits)) + digits)
		case "CURRENT_DATE":
			b.WriteString(now.Format(strings.NewReplacer("yyyy", "2006", "YYYY", "2006", "yy", "06", "MM", "01", "dd",
				"02").Replace(m[3])))
		case "ORG_UNIT_CODE":
			code := c.Query.Get("ORG_UNIT_CODE")
			if code == "" {
				return "", rest.Verbatim("Missing required values: [ORG_UNIT_CODE]")
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
			return "", fmt.Errorf("the part %s of the pattern %s is not known", m[2], a.Pattern)
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
			set = ids.Letters[26:]
		case 'x':
			set = ids.Letters[:26]
		case '*':
			set = ids.Alphanumeric
		default:
			continue
		}
		out[i] = set[rand.IntN(len(set))]
	}
	return string(out)
}
