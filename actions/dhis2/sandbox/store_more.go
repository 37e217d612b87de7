package sandbox

import (
	"encoding/json"
	"sort"
	"strings"
	"time"
)

// keyValue is an entry of the data store or a setting.
type keyValue struct {
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

type keyPlace struct{ space, namespace, key string }

func (k *keyValue) place() keyPlace { return keyPlace{k.Space, k.Namespace, k.Key} }

func (st *store) putKey(k *keyValue) {
	st.keys[k.place()] = k
	st.state.note("kv", k)
}

// entry gives an entry that is there.
func (st *store) entry(at keyPlace) *keyValue {
	if k := st.keys[at]; k != nil && !k.Gone {
		return k
	}
	return nil
}

// entries gives those of a namespace, by key.
func (st *store) entries(space, namespace string) []*keyValue {
	var out []*keyValue
	for _, k := range st.keys {
		if k.Space == space && k.Namespace == namespace && !k.Gone {
			out = append(out, k)
		}
	}
	sort.Slice(out, func(i, j int) bool { return out[i].Key < out[j].Key })
	return out
}

// duplicatePair are two tracked entities that somebody took for the same person.
type duplicatePair struct {
	UID       string `json:"uid"`
	Original  string `json:"original"`
	Duplicate string `json:"duplicate"`
	Status    string `json:"status"`
	made
}

func (st *store) putPair(p *duplicatePair) {
	st.pairs[p.UID] = p
	st.state.note("pd", p)
}

// fileResource is an uploaded file, which values of the types FILE_RESOURCE and IMAGE name by its uid.
type fileResource struct {
	UID         string    `json:"uid"`
	Name        string    `json:"name"`
	ContentType string    `json:"contentType"`
	MD5         string    `json:"md5"`
	Domain      string    `json:"domain"`
	Assigned    bool      `json:"assigned,omitempty"`
	Owner       string    `json:"owner,omitempty"` // the tracked entity or event that has it
	By          string    `json:"by"`
	Created     time.Time `json:"created"`
	Content     []byte    `json:"content"`
}

// imageFormats are what DHIS2 takes for an image by the second half of its content type.
var imageFormats = setOf(strings.Fields("jpg JPG jpeg JPEG png PNG gif GIF bmp BMP wbmp WBMP tif TIF tiff TIFF"))

func (f *fileResource) image() bool {
	_, format, _ := strings.Cut(f.ContentType, "/")
	format, _, _ = strings.Cut(format, ";")
	return imageFormats[format]
}

func (st *store) putFile(f *fileResource) {
	if old := st.files[f.UID]; old != nil {
		st.fileBytes -= len(old.Content)
	}
	st.files[f.UID] = f
	st.fileBytes += len(f.Content)
	st.state.note("fi", f)
}

// assign gives a file to the tracked entity or the event that names it in a value.
func (st *store) assign(uid, owner string) {
	if f := st.files[uid]; f != nil {
		f.Assigned, f.Owner = true, owner
		st.state.note("fi", f)
	}
}

// keepToken locks by itself.
func (st *store) keepToken(given *tokenState) error {
	st.mu.Lock()
	defer st.mu.Unlock()
	st.tokens[given.Token] = given
	st.state.note("to", given)
	return st.state.flush()
}

// changed gives what was written after the start, in the order of uids.
func (st *store) changed() []*metadataChange {
	out := make([]*metadataChange, 0, len(st.metadata))
	for _, ch := range st.metadata {
		out = append(out, ch)
	}
	sort.Slice(out, func(i, j int) bool { return out[i].UID < out[j].UID })
	return out
}
