package delivery

// Keys lets the records of one key through one at a time, in the order in which they came. Not safe for concurrent use.
type Keys[T any] struct {
	waiting map[string][]T // of every key that is in flight: those behind it
}

// NewKeys makes an empty set of keys.
func NewKeys[T any]() *Keys[T] { return &Keys[T]{waiting: map[string][]T{}} }

// Enter tells whether an item may go at once. When another of its key is on its way it waits behind that one, and Leave gives it later.
func (k *Keys[T]) Enter(key string, item T) bool {
	behind, busy := k.waiting[key]
	if !busy {
		k.waiting[key] = nil
		return true
	}
	k.waiting[key] = append(behind, item)
	return false
}

// Leave ends an item's turn and gives the next of its key, whose turn has then begun; false when none waits.
func (k *Keys[T]) Leave(key string) (next T, ok bool) {
	behind := k.waiting[key]
	if len(behind) == 0 {
		delete(k.waiting, key)
		return next, false
	}
	next = behind[0]
	var zero T
	behind[0] = zero
	k.waiting[key] = behind[1:]
	return next, true
}

// Next gives the item that waits behind the one whose turn it is; false when none does.
func (k *Keys[T]) Next(key string) (next T, ok bool) {
	behind := k.waiting[key]
	if len(behind) == 0 {
		return next, false
	}
	return behind[0], true
}

// Withdraw takes out of those that wait of a key what drop holds for; the one whose turn it is stays.
func (k *Keys[T]) Withdraw(key string, drop func(T) bool) (out []T) {
	behind := k.waiting[key]
	if len(behind) == 0 {
		return nil
	}
	kept := make([]T, 0, len(behind))
	for _, item := range behind {
		if drop(item) {
			out = append(out, item)
		} else {
			kept = append(kept, item)
		}
	}
	k.waiting[key] = kept
	return out
}

// Len is how many keys are in flight.
func (k *Keys[T]) Len() int { return len(k.waiting) }
