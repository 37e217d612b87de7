package actions

import "github.com/culvert/culvert/rules/settings"

// CommonKeys declares the keys that every action takes; the language reads them.
func CommonKeys() []settings.Field {
	return []settings.Field{
		{Name: "id",
			Doc: "name under which later actions read this action's result, such as woman.enrollment"},
		{Name: "for_each", Type: settings.Free, Schema: []string{"string", "number", "boolean", "array"},
			Each: &settings.Field{Ref: "expression"},
			Doc: "a list; the action runs once for every item. `item` and `index` are in scope. One object counts " +
				"as a list of one, a blank value as an empty list. Several lists, such as [trigger.visits, " +
				"item.children], are inside of each other: `parent` is the item around `item`"},
		{Name: "when", Ref: "expression",
			Doc: "condition; the action runs only for records (or items) for which it is true"},
		{Name: "blank", Ref: "blank",
			Doc: "what a blank value does in every field of this action that does not say otherwise"},
		{Name: "invalid", Ref: "invalid",
			Doc: "what a value that does not fit does in every field of this action that does not say otherwise"},
	}
}
