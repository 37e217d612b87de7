package expression

// ListOf is the shape of a list of such items.
func ListOf(item *Shape) *Shape { return listOf(item) }

// Object is the shape of an object with these fields and no others; a field that is nil may hold anything.
func Object(fields map[string]*Shape) *Shape {
	known := make(map[string]*Shape, len(fields))
	for name, field := range fields {
		if field == nil {
			field = Dynamic()
		}
		known[name] = field
	}
	return &Shape{kinds: kObject, fields: known}
}

// TextShape is the shape of a text.
func TextShape() *Shape { return plain(kText) }

// NumberShape is the shape of a number.
func NumberShape() *Shape { return plain(kNumber) }

// BooleanShape is the shape of yes/no.
func BooleanShape() *Shape { return plain(kBool) }

// DateShape is the shape of a date.
func DateShape() *Shape { return plain(kDate) }
