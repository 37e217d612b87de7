package store

import (
	"encoding/json"
	"sort"
	"time"
)

// KeyValue is an entry of the data store or a setting.
type KeyValue struct {
	Space     string          `json:"space"` // dataStore, systemSettings, userDataStore/<user> or userSettings/<user>
	Namespace string          `json:"namespace,omitempty"`
	Key       string          `json:"key"`
	UID       string          `json:"uid"`
	Value     json.RawMessage `json:"value"`
	Gone      bool            `json:"gone,omitempty"`
	Created   time.Time       `json:"created"`
	Updated   time.Time       `json:"updated"`
	UpdatedBy string          `json:"updatedBy"`
}

type KeyPlace struct{ Space, Namespace, Key string }

func (k *KeyValue) place() KeyPlace { return KeyPlace{k.Space, k.Namespace, k.Key} }

func (st *Store) PutKey(k *KeyValue) {
	st.Keys[k.place()] = k
	st.Keep(k)
}

// Entry gives an entry that is there.
func (st *Store) Entry(at KeyPlace) *KeyValue {
	if k := st.Keys[at]; k != nil && !k.Gone {
		return k
	}
	return nil
}

// Entries gives those of a namespace, by key.
func (st *Store) Entries(space, namespace string) []*KeyValue {
	var out []*KeyValue
	for _, k := range st.Keys {
		if k.Space == space && k.Namespace == namespace && !k.Gone {
			out = append(out, k)
		}
	}
	sort.Slice(out, func(i, j int) bool { return out[i].Key < out[j].Key })
	return out
}
