package identity

import (
	"sync"
	"time"

	"github.com/culvert/culvert/actions"
)

// Claims are the people whom batches on their way create or have matched. The journal knows them
// only once a batch is recorded, and two batches are sent at a time: without this, the second could
// take over whom the first has just made.
type Claims struct {
	mu      sync.Mutex
	people  map[string]claim // by uid
	evicted time.Time
}

type claim struct {
	key actions.IdentityKey
	at  time.Time
}

// claimLasts is longer than any batch is on its way; by then the journal knows.
const claimLasts = 15 * time.Minute

// aMoment is after which a record is tried again that met another one about the same person.
const aMoment = time.Second

// claim notes that an external id stands for a person. The first one stays.
func (c *Claims) claim(uid string, key actions.IdentityKey, now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.people == nil {
		c.people = map[string]claim{}
	}
	if now.Sub(c.evicted) > claimLasts {
		c.evicted = now
		for uid, old := range c.people {
			if now.Sub(old.at) > claimLasts {
				delete(c.people, uid)
			}
		}
	}
	if held, there := c.people[uid]; there && held.key != key && now.Sub(held.at) <= claimLasts {
		return
	}
	c.people[uid] = claim{key, now}
}

// holder gives the external id that stands for a person in some batch.
func (c *Claims) holder(uid string, now time.Time) (actions.IdentityKey, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	held, there := c.people[uid]
	return held.key, there && now.Sub(held.at) <= claimLasts
}
