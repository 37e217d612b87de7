package expression

import "fmt"

// flatItems is the shape of a list made of the items of lists in a list.
func flatItems(args []*Shape) *Shape {
	item := args[0].item()
	if item.isDynamic() || item.kinds&kList == 0 {
		return listOf(item)
	}
	inner := item.elem
	if inner == nil {
		inner = Dynamic()
	}
	if other := item.kinds &^ kList; other != kBlank {
		inner = merge(inner, &Shape{kinds: other, fields: item.fields, open: item.open, rest: item.rest})
	}
	return listOf(inner)
}

// allItems is the shape of a list made of several.
func allItems(args []*Shape) *Shape {
	item := args[0].item()
	for _, list := range args[1:] {
		item = merge(item, list.item())
	}
	return listOf(item)
}

func callFlatten(f *frame, a []any) (any, error) {
	flat := []any{}
	for _, item := range a[0].([]any) {
		item = normal(item, f.options.Zone)
		if IsBlank(item) {
			continue
		}
		inner := []any{item}
		if kindOf(item) == kList {
			var err error
			if inner, err = asList(item, f.options.Zone); err != nil {
				return nil, err
			}
		}
		if err := f.goesThrough(len(inner)); err != nil {
			return nil, err
		}
		flat = append(flat, inner...)
	}
	return flat, nil
}

func callConcat(f *frame, a []any) (any, error) {
	all := []any{}
	for _, list := range a {
		items, _ := list.([]any) // nil of a blank
		if err := f.goesThrough(len(items)); err != nil {
			return nil, err
		}
		all = append(all, items...)
	}
	return all, nil
}

// grouped puts items with the same key together, in the order in which the keys first come.
func grouped(f *frame, a []any) (any, error) {
	items, keys := a[0].([]any), a[1].([]any)
	if err := f.goesThrough(len(items)); err != nil {
		return nil, err
	}
	places := map[any]int{}
	groups := []any{}
	for i, item := range items {
		key, err := sortKey(f, keys[i])
		if err != nil {
			return nil, fail(CodeWrongType, fmt.Sprintf("items cannot be grouped by %s", kindOf(keys[i]).article()),
				"group by a text, a number or a date")
		}
		place, ok := places[key]
		if !ok {
			place = len(groups)
			places[key] = place
			groups = append(groups, map[string]any{"key": filled(keys[i]), "items": []any{}})
		}
		group := groups[place].(map[string]any)
		group["items"] = append(group["items"].([]any), normal(item, f.options.Zone))
	}
	return groups, nil
}
