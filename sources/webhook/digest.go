package webhook

import (
	"cmp"
	"container/list"
	"context"
	"crypto/hmac"
	"crypto/md5" //nolint:gosec // what clients of OpenRosa speak besides SHA-256
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"hash"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Digest authentication (RFC 7616, and RFC 2617 before it) is for phones on a network without https:
// ODK Collect and its kin send a password as it is over https alone. Nonces are signed, so that
// nothing is kept of those that nobody uses, and every runner of a project knows those of the others.
// What was used is remembered within bounds, so that a request that somebody listened to is not
// taken again. Only qop=auth is spoken: without it nothing counts the requests.

// realm is what the way to log in is called; it is part of what is hashed.
const realm = "culvert"

const (
	// nonceLife is how long a nonce serves: longer than the parts of a form with many photos take on a poor line.
	nonceLife = time.Hour
	// nonceRenew is how old a nonce may be for a request without a body. A form that is announced with HEAD
	// gets its fresh one there, and is not sent twice.
	nonceRenew = 20 * time.Minute
	// nonceSkew is how far the clocks of runners may be apart.
	nonceSkew = time.Minute

	noncesKept  = 20000 // that were used and are remembered
	countWindow = 64    // counts of a nonce below the highest that may still come
	keyRetry    = 10 * time.Second
	keyWait     = 5 * time.Second // for the journal to say the key; a caller who goes away does not end that
)

// nonceSize is of the time, what makes it unlike others, and the signature.
const nonceSize = 8 + 8 + 16

// digests hands out nonces and remembers which of them were used.
type digests struct {
	now func() time.Time
	// shared gives the key that all runners of the project sign nonces with; nil: each has its own
	shared func(ctx context.Context) ([]byte, error)

	mu    sync.Mutex
	key   []byte
	read  time.Time                // when the key was asked for last
	floor time.Time                // nonces made until then are known, or are not taken
	known map[string]*list.Element // of *usedNonce
	order *list.List               // by when they were first used
}

// usedNonce is what a nonce was used for.
type usedNonce struct {
	nonce   string
	made    time.Time
	highest uint32 // the highest count that came
	window  uint64 // which counts below it came: bit n is highest-n
}

func newDigests(now func() time.Time, shared func(ctx context.Context) ([]byte, error)) *digests {
	return &digests{now: now, shared: shared, floor: now().Add(-nonceSkew), known: map[string]*list.Element{},
		order: list.New()}
}

// challenges gives what a caller is asked for, the better way first. Both name one nonce: there are
// clients that mix what the headers say. stale says that the credentials are right and the nonce is too old.
func (d *digests) challenges(ctx context.Context, stale bool) []string {
	rest := `", qop="auth", charset="UTF-8", algorithm=`
	head := `Digest realm="` + realm + `", nonce="` + d.nonce(ctx) + rest
	tail := ""
	if stale {
		tail = ", stale=true"
	}
	return []string{head + "SHA-256" + tail, head + "MD5" + tail}
}

// nonce makes a nonce.
func (d *digests) nonce(ctx context.Context) string {
	raw := make([]byte, 16, nonceSize)
	binary.BigEndian.PutUint64(raw, uint64(d.now().UnixNano())) //nolint:gosec // after 1970
	_, _ = rand.Read(raw[8:])                                   // never fails
	raw = append(raw, sealed(d.currentKey(ctx, false), raw)...)
	return base64.RawURLEncoding.EncodeToString(raw)
}

func sealed(key, raw []byte) []byte {
	mac := hmac.New(sha256.New, key)
	mac.Write(raw)
	return mac.Sum(nil)[:16]
}

// currentKey gives the key of nonces. fresh asks for it again, as when another runner has made one
// at the same time; not more often than every few seconds, whoever sends nonsense.
func (d *digests) currentKey(ctx context.Context, fresh bool) []byte {
	d.mu.Lock()
	defer d.mu.Unlock()
	now := d.now()
	if d.key != nil && (!fresh || d.shared == nil || now.Sub(d.read) < keyRetry) {
		return d.key
	}
	d.read = now
	if d.shared != nil {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), keyWait)
		defer cancel()
		if key, err := d.shared(ctx); err == nil && len(key) >= sha256.Size {
			d.key = key
		}
	}
	if d.key == nil { // until the journal answers; other runners ask those callers once more
		d.key = make([]byte, sha256.Size)
		_, _ = rand.Read(d.key) // never fails
	}
	return d.key
}

// made gives when a nonce was made; it is not ok when none of the runners made it.
func (d *digests) made(ctx context.Context, nonce string) (time.Time, bool) {
	raw, err := base64.RawURLEncoding.DecodeString(nonce)
	if err != nil || len(raw) != nonceSize {
		return time.Time{}, false
	}
	for _, fresh := range []bool{false, true} {
		if hmac.Equal(sealed(d.currentKey(ctx, fresh), raw[:16]), raw[16:]) {
			return time.Unix(0, int64(binary.BigEndian.Uint64(raw))), true //nolint:gosec // signed by us
		}
	}
	return time.Time{}, false
}

// use notes that a request with right credentials came. It is not fresh when the nonce is of nobody,
// too old, or when the count came before: the caller is to ask again with a new nonce.
func (d *digests) use(ctx context.Context, p *presented, life time.Duration) (fresh bool) {
	made, ok := d.made(ctx, p.nonce)
	if !ok {
		return false
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	now := d.now()
	if age := now.Sub(made); age > life || age < -nonceSkew {
		return false
	}
	d.expire(now)
	if e, ok := d.known[p.nonce]; ok {
		return e.Value.(*usedNonce).take(p.count)
	}
	if !made.After(d.floor) {
		return false
	}
	d.known[p.nonce] = d.order.PushBack(&usedNonce{nonce: p.nonce, made: made, highest: p.count, window: 1})
	if d.order.Len() > noncesKept {
		d.forget(d.order.Front())
	}
	return true
}

// take notes a count, and tells whether it is new.
func (u *usedNonce) take(count uint32) bool {
	if count > u.highest {
		if by := count - u.highest; by < countWindow {
			u.window <<= by
		} else {
			u.window = 0
		}
		u.highest, u.window = count, u.window|1
		return true
	}
	below := u.highest - count
	if below >= countWindow || u.window&(1<<below) != 0 {
		return false
	}
	u.window |= 1 << below
	return true
}

// expire forgets nonces that are too old to serve.
func (d *digests) expire(now time.Time) {
	for e := d.order.Front(); e != nil && now.Sub(e.Value.(*usedNonce).made) > nonceLife; e = d.order.Front() {
		delete(d.known, e.Value.(*usedNonce).nonce)
		d.order.Remove(e)
	}
}

// forget makes room. What was made before the forgotten one is taken no more unless it is remembered.
func (d *digests) forget(e *list.Element) {
	u := e.Value.(*usedNonce)
	if u.made.After(d.floor) {
		d.floor = u.made
	}
	delete(d.known, u.nonce)
	d.order.Remove(e)
}

// presented are the digest credentials of one request.
type presented struct {
	method, username, realm, nonce, uri, cnonce, nc, response string
	count                                                     uint32
	hash                                                      func() hash.Hash
}

// maxDigest bounds the header of digest credentials.
const maxDigest = 8 << 10

// readDigest reads the digest credentials of a request; nil where there are none that can be right.
func readDigest(r *http.Request) *presented {
	header := r.Header.Get("Authorization")
	scheme, rest, _ := strings.Cut(header, " ")
	if !strings.EqualFold(scheme, "Digest") || len(header) > maxDigest {
		return nil
	}
	params, ok := parameters(rest)
	if !ok || !strings.EqualFold(params["qop"], "auth") || params["realm"] != realm || params["cnonce"] == "" ||
		!names(params["uri"], r) {
		return nil
	}
	count, err := strconv.ParseUint(params["nc"], 16, 32)
	if err != nil || count == 0 || len(params["nc"]) != 8 {
		return nil
	}
	p := &presented{method: r.Method, username: params["username"], realm: realm, nonce: params["nonce"],
		uri: params["uri"], cnonce: params["cnonce"], nc: params["nc"], response: strings.ToLower(params["response"]),
		count: uint32(count)}
	switch strings.ToUpper(cmp.Or(params["algorithm"], "MD5")) {
	case "MD5":
		p.hash = md5.New
	case "SHA-256":
		p.hash = sha256.New
	default:
		return nil
	}
	if extended, ok := params["username*"]; ok {
		if p.username, ok = extendedValue(extended); !ok {
			return nil
		}
	}
	return p
}

// names tells whether the address that was hashed is that of the request, of which a proxy may have
// taken off the beginning, or put one on.
func names(uri string, r *http.Request) bool {
	u, err := url.ParseRequestURI(uri)
	if err != nil || u.RawQuery != r.URL.RawQuery {
		return false
	}
	a, b := strings.TrimRight(u.Path, "/"), strings.TrimRight(r.URL.Path, "/")
	return a == b || b != "" && strings.HasSuffix(a, b) || a != "" && strings.HasSuffix(b, a)
}

// extendedValue reads a name with letters beyond ASCII (RFC 8187): UTF-8”%c3%a9.
func extendedValue(text string) (string, bool) {
	charset, rest, ok := strings.Cut(text, "'")
	_, value, ok2 := strings.Cut(rest, "'")
	if !ok || !ok2 || !strings.EqualFold(charset, "UTF-8") {
		return "", false
	}
	value, err := url.PathUnescape(value)
	return value, err == nil
}

// maxParameters bounds the parameters of credentials.
const maxParameters = 32

// parameters reads name=value, name="value", ... It is not ok when that is not what the text is, or
// names one twice.
func parameters(text string) (map[string]string, bool) {
	params := map[string]string{}
	for text = trimList(text); text != ""; text = trimList(text) {
		name, rest, ok := strings.Cut(text, "=")
		name = strings.ToLower(strings.TrimSpace(name))
		if !ok || name == "" || strings.ContainsAny(name, " \t\",") || len(params) == maxParameters {
			return nil, false
		}
		value, rest, ok := parameter(strings.TrimLeft(rest, " \t"))
		if _, twice := params[name]; twice || !ok {
			return nil, false
		}
		params[name] = value
		if text = strings.TrimLeft(rest, " \t"); text != "" && text[0] != ',' {
			return nil, false
		}
	}
	return params, true
}

func trimList(text string) string { return strings.TrimLeft(text, " \t,") }

// parameter reads one value, quoted or not, and gives what comes behind it.
func parameter(text string) (value, rest string, ok bool) {
	if !strings.HasPrefix(text, `"`) {
		n := strings.IndexAny(text, ", \t")
		if n < 0 {
			n = len(text)
		}
		return text[:n], text[n:], !strings.Contains(text[:n], `"`)
	}
	var b strings.Builder
	for i := 1; i < len(text); i++ {
		switch text[i] {
		case '"':
			return b.String(), text[i+1:], true
		case '\\':
			if i++; i == len(text) {
				return "", "", false
			}
		}
		b.WriteByte(text[i])
	}
	return "", "", false
}

// fits tells whether the credentials are those of a user, in a time that does not depend on how much of them is right.
func (p *presented) fits(username, password string) bool {
	sum := func(text string) string {
		h := p.hash()
		h.Write([]byte(text))
		return hex.EncodeToString(h.Sum(nil))
	}
	want := sum(sum(username+":"+p.realm+":"+password) + ":" + p.nonce + ":" + p.nc + ":" + p.cnonce + ":auth:" +
		sum(p.method+":"+p.uri))
	userOK, responseOK := same(p.username, username), same(p.response, want)
	return userOK && responseOK
}
