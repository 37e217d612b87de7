package identity

import (
	"strings"

	"github.com/culvert/culvert/rules"
)

// Scope is what a namespace adds to what ids are derived from: nothing for ids of the whole
// project, which is how all ids were derived before there were namespaces. How it is written must
// never change.
func Scope(namespace string) string {
	if namespace == rules.ProjectNamespace {
		return ""
	}
	return "\x00" + namespace
}

// PersonType is the type under which the journal keeps who an external id stands for: that of the
// tracked entity, with the namespace of the id unless that is the project's.
func PersonType(trackedEntityType, namespace string) string {
	if namespace == "" || namespace == rules.ProjectNamespace {
		return trackedEntityType
	}
	return trackedEntityType + "@" + namespace
}

// TypeOfPerson parts what PersonType joins. The namespace of the project is empty.
func TypeOfPerson(typ string) (trackedEntityType, namespace string) {
	trackedEntityType, namespace, _ = strings.Cut(typ, "@")
	return trackedEntityType, namespace
}

// PersonUID derives the uid of the person that an external id of a namespace stands for; typ is what PersonType gives.
func PersonUID(project, typ, externalID string, generation int) string {
	t, namespace := TypeOfPerson(typ)
	if namespace != "" {
		project += Scope(namespace)
	}
	return TrackedEntityUID(project, t, externalID, generation)
}
