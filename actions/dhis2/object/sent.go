package object

import (
	"strings"

	"github.com/culvert/culvert/actions/dhis2/client"
)

// longestShown bounds how much of a value is shown where a person corrects it, in bytes.
const longestShown = 200

// SentValue gives what was sent for an attribute, for whoever corrects it; empty where nothing was.
func (o *TrackedEntity) SentValue(uid string) string { return attributeSent(o.Values, uid) }

// SentValue gives what was sent for an attribute of the enrollment; empty where nothing was.
func (o *Enrollment) SentValue(uid string) string { return attributeSent(o.Body.Attributes, uid) }

// SentValue gives what was sent for a data element of the event; empty where nothing was.
func (o *Event) SentValue(uid string) string {
	for _, v := range o.Body.DataValues {
		if v.DataElement == uid {
			return shown(v.Value)
		}
	}
	return ""
}

// SentValue gives the value, whatever it is asked for.
func (o *DataValue) SentValue(string) string { return shown(o.Value) }

func attributeSent(values []client.AttributeValue, uid string) string {
	for _, v := range values {
		if v.Attribute == uid {
			return shown(v.Value)
		}
	}
	return ""
}

func shown(text string) string {
	if len(text) > longestShown {
		return strings.ToValidUTF8(text[:longestShown], "") + "..."
	}
	return text
}
