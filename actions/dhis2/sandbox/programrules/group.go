package programrules

// precedence is the order in which operators take their operands, each before all that follow:
// DHIS2 groups 1 - 2 + 3 as 1 - (2 + 3).
var precedence = []string{"^", "*", "/", "%", "+", "-", "<", ">", "<=", ">=", "==", "!=", "&&", "||"}

var unaryOrder = []string{"+", "-", "!"}

// regroup makes a tree of the rows of operands and operators.
func regroup(root *node) {
	groupBinary(root, "^")
	for _, op := range unaryOrder {
		groupUnary(root, op)
	}
	for _, op := range precedence[1:] {
		groupBinary(root, op)
	}
}

// waits tells whether a node is the operator and has no operands yet.
func (n *node) waits(kind nodeKind, op string) bool {
	return n.kind == kind && n.text == op && len(n.children) == 0
}

func groupUnary(n *node, op string) {
	found := false
	for _, c := range n.children {
		found = found || c.waits(unary, op)
	}
	if found {
		row := n.children
		operand := row[len(row)-1]
		var out []*node // from the last to the first
		for i := len(row) - 2; i >= 0; i-- {
			if row[i].waits(unary, op) {
				row[i].children = append(row[i].children, operand)
			} else {
				out = append(out, operand)
			}
			operand = row[i]
		}
		out = append(out, operand)
		for i, j := 0, len(out)-1; i < j; i, j = i+1, j-1 {
			out[i], out[j] = out[j], out[i]
		}
		n.children = out
	}
	for _, c := range n.children {
		groupUnary(c, op)
	}
}

func groupBinary(n *node, op string) {
	found := false
	for _, c := range n.children {
		found = found || c.waits(binary, op)
	}
	if found {
		row := n.children
		out := []*node{row[0]}
		for i := 1; i < len(row); i++ {
			o := row[i]
			if !o.waits(binary, op) || i+1 >= len(row) {
				out = append(out, o)
				continue
			}
			o.children = append(o.children, out[len(out)-1])
			i++
			for op == "^" && row[i].kind == unary && i+1 < len(row) {
				o.children = append(o.children, row[i])
				i++
			}
			o.children = append(o.children, row[i])
			out[len(out)-1] = o
		}
		n.children = out
	}
	for _, c := range n.children {
		groupBinary(c, op)
	}
}
