package metadata

import (
	"strconv"
	"strings"
)

// parseOrgUnit reads an org unit from a line as encode writes it, several times as fast as
// encoding/json and without copying: a country has tens of thousands. The strings stay part of the
// file's text. It gives up (false) on anything unusual, such as an escape.
func parseOrgUnit(line string, o *OrgUnit) bool {
	p := lineParser{rest: line}
	p.expect("{")
	for !p.failed {
		switch key := p.key(); key {
		case "id":
			o.ID = p.text()
		case "code":
			o.Code = p.text()
		case "name":
			o.Name = p.text()
		case "shortName":
			o.ShortName = p.text()
		case "level":
			o.Level = p.number()
		case "path":
			o.Path = p.text()
		case "parent":
			o.Parent = &Ref{ID: p.ref()}
		case "openingDate":
			o.OpeningDate = p.text()
		case "closedDate":
			o.ClosedDate = p.text()
		case "attributeValues":
			o.AttributeValues = p.attributeValues()
		default:
			return false
		}
		if p.take("}") {
			return !p.failed && p.rest == "" && o.ID != ""
		}
		p.expect(",")
	}
	return false
}

// lineParser reads the JSON that encode writes: no white space. Once failed it stays so.
type lineParser struct {
	rest   string
	failed bool
}

func (p *lineParser) take(s string) bool {
	rest, ok := strings.CutPrefix(p.rest, s)
	if ok {
		p.rest = rest
	}
	return ok
}

func (p *lineParser) expect(s string) {
	if !p.take(s) {
		p.failed = true
	}
}

func (p *lineParser) key() string {
	k := p.text()
	p.expect(":")
	return k
}

// text reads a string that holds no escape.
func (p *lineParser) text() string {
	if !p.take(`"`) {
		p.failed = true
		return ""
	}
	end := strings.IndexByte(p.rest, '"')
	if end < 0 || strings.IndexByte(p.rest[:end], '\\') >= 0 {
		p.failed = true
		return ""
	}
	s := p.rest[:end]
	p.rest = p.rest[end+1:]
	return s
}

func (p *lineParser) number() int {
	end := 0
	for end < len(p.rest) && (p.rest[end] == '-' || '0' <= p.rest[end] && p.rest[end] <= '9') {
		end++
	}
	n, err := strconv.Atoi(p.rest[:end])
	p.failed = p.failed || err != nil || strconv.Itoa(n) != p.rest[:end] // JSON knows no 07
	p.rest = p.rest[end:]
	return n
}

func (p *lineParser) ref() string {
	p.expect(`{"id":`)
	id := p.text()
	p.expect("}")
	return id
}

func (p *lineParser) attributeValues() []AttributeValue {
	p.expect("[")
	if p.take("]") {
		return []AttributeValue{}
	}
	// Most org units have one or two: one small allocation each.
	var few [4]AttributeValue
	list := few[:0]
	for !p.failed {
		p.expect(`{"attribute":`)
		v := AttributeValue{Attribute: Ref{ID: p.ref()}}
		p.expect(`,"value":`)
		v.Value = p.text()
		p.expect("}")
		list = append(list, v)
		if p.take("]") {
			break
		}
		p.expect(",")
	}
	return append(make([]AttributeValue, 0, len(list)), list...)
}
