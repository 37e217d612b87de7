package dispatch

// fifo is a queue that gives its memory back.
type fifo struct {
	items []*item
	head  int
}

func (q *fifo) len() int      { return len(q.items) - q.head }
func (q *fifo) push(it *item) { q.items = append(q.items, it) }

func (q *fifo) pop() *item {
	it := q.items[q.head]
	q.items[q.head] = nil
	q.head++
	if q.head > 1024 && q.head*2 > len(q.items) || q.head == len(q.items) {
		q.items = append(q.items[:0:0], q.items[q.head:]...)
		q.head = 0
	}
	return it
}

// remove takes out the items for which drop holds.
func (q *fifo) remove(drop func(*item) bool) []*item {
	var out, kept []*item
	for _, it := range q.items[q.head:] {
		if drop(it) {
			out = append(out, it)
		} else {
			kept = append(kept, it)
		}
	}
	if len(out) > 0 {
		q.items, q.head = kept, 0
	}
	return out
}
