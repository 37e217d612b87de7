package webhook

import (
	"container/list"
	"crypto/sha256"
	"net/http"
	"sync"
	"time"
)

// What is remembered of idempotency keys. After that, and after a restart, the journal still
// recognises the same record by its id and content.
const (
	keysKept   = 10000
	keyLife    = 24 * time.Hour
	maxKeySize = 255
)

// keyMemory remembers the answers to requests with an idempotency key.
type keyMemory struct {
	now  func() time.Time
	life time.Duration

	mu    sync.Mutex
	known map[digest]*list.Element
	order *list.List // of *keyEntry, oldest first
}

type digest [sha256.Size]byte

type keyEntry struct {
	key     digest
	body    digest
	receipt *receipt
	at      time.Time
}

// pendingKey is a key whose request is under way.
type pendingKey struct{ key, body digest }

func newKeyMemory(now func() time.Time, life time.Duration) *keyMemory {
	return &keyMemory{now: now, life: life, known: map[digest]*list.Element{}, order: list.New()}
}

// begin looks a key up. The receipt is that of the same request earlier; the error is a refusal
// when the key came with another body.
func (m *keyMemory) begin(key, path string, routes []*Route, body []byte) (*pendingKey, *receipt, error) {
	if key == "" {
		return nil, nil, nil
	}
	if len(key) > maxKeySize {
		return nil, nil, &refusal{http.StatusBadRequest, "the idempotency key is longer than 255 characters",
			"send a shorter one, such as a UUID"}
	}
	scope := path + "\x00" + key
	for i := range routes {
		scope += "\x00" + routes[i].Rule // senders that other rules let in have keys of their own
	}
	p := &pendingKey{key: sha256.Sum256([]byte(scope)), body: sha256.Sum256(body)}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.expire()
	found, ok := m.known[p.key]
	if !ok {
		return p, nil, nil
	}
	e := found.Value.(*keyEntry)
	if e.body != p.body {
		return nil, nil, &refusal{http.StatusUnprocessableEntity, "the idempotency key came before with another body",
			"send a new key with new content"}
	}
	return p, e.receipt, nil
}

// end remembers the answer to a request.
func (m *keyMemory) end(p *pendingKey, r *receipt) {
	if p == nil {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, ok := m.known[p.key]; ok {
		return
	}
	m.known[p.key] = m.order.PushBack(&keyEntry{key: p.key, body: p.body, receipt: r, at: m.now()})
	if m.order.Len() > keysKept {
		m.forget(m.order.Front())
	}
}

func (m *keyMemory) expire() {
	for e := m.order.Front(); e != nil && m.now().Sub(e.Value.(*keyEntry).at) > m.life; e = m.order.Front() {
		m.forget(e)
	}
}

func (m *keyMemory) forget(e *list.Element) {
	delete(m.known, e.Value.(*keyEntry).key)
	m.order.Remove(e)
}
