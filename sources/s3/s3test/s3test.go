// Package s3test has an object store for tests: it keeps objects in memory, speaks what clients of Amazon S3 speak,
// and checks the signature (version 4) of every request.
package s3test

import (
	"bufio"
	"bytes"
	"crypto/hmac"
	"crypto/md5"
	"crypto/sha256"
	"encoding/hex"
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/culvert/culvert/sources"
)

// The key and the bucket of every store.
const (
	AccessKey = "AKCULVERTTEST"
	SecretKey = "secret-of-the-key"
	Bucket    = "exports"
	Region    = "eu-west-1"
)

// Object is what lies in the bucket.
type Object struct {
	Content []byte
	ETag    string
	Written time.Time
	Tags    string // as XML
}

// Store is a bucket.
type Store struct {
	*httptest.Server
	// Break has each answer to GET of an object end after so many bytes; 0: it does not.
	Break atomic.Int64
	// PageSize is how many objects are listed at once.
	PageSize int

	mu      sync.Mutex
	objects map[string]*Object
	deny    map[string]bool // keys that nobody may read
	ranges  []string        // of GET
	clock   time.Time
}

// New starts a store, which ends with the test.
func New(t testing.TB) *Store {
	t.Helper()
	s := &Store{objects: map[string]*Object{}, deny: map[string]bool{}, PageSize: 1000,
		clock: time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC)}
	s.Server = httptest.NewServer(http.HandlerFunc(s.serve))
	t.Cleanup(s.Close)
	return s
}

// Connection is a connection of culvert.yaml to the store.
func (s *Store) Connection() sources.Connection {
	return sources.Connection{Name: "store", Kind: "s3", URL: s.URL, Own: map[string]string{"bucket": Bucket,
		"access_key": AccessKey, "secret_key": SecretKey}}
}

// Put puts an object.
func (s *Store) Put(key, text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.put(key, []byte(text))
}

func (s *Store) put(key string, content []byte) *Object {
	s.clock = s.clock.Add(time.Second)
	sum := md5.Sum(content)
	o := &Object{Content: content, ETag: hex.EncodeToString(sum[:]), Written: s.clock}
	s.objects[key] = o
	return o
}

// Deny has nobody read an object.
func (s *Store) Deny(key string, deny bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.deny[key] = deny
}

// Keys lists the keys.
func (s *Store) Keys() (keys []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for k := range s.objects {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// Get gives an object as it is now; nil when there is none.
func (s *Store) Get(key string) *Object {
	s.mu.Lock()
	defer s.mu.Unlock()
	o := s.objects[key]
	if o == nil {
		return nil
	}
	now := *o
	return &now
}

// Ranges lists the ranges that were asked for.
func (s *Store) Ranges() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.ranges)
}

func (s *Store) serve(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	if code := checkSignature(r, body); code != "" {
		refuse(w, http.StatusForbidden, code)
		return
	}
	if strings.HasPrefix(r.Header.Get("X-Amz-Content-Sha256"), "STREAMING-") {
		if body, err = unchunk(body); err != nil {
			refuse(w, http.StatusBadRequest, "IncompleteBody")
			return
		}
	}
	bucket, key, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	if bucket != Bucket {
		refuse(w, http.StatusNotFound, "NoSuchBucket")
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	q := r.URL.Query()
	switch {
	case key == "" && q.Has("location"):
		answer(w, "<LocationConstraint>"+Region+"</LocationConstraint>")
	case key == "":
		s.list(w, q)
	case q.Has("tagging"):
		s.tagging(w, r, key, body)
	case r.Method == http.MethodPut:
		s.store(w, r, key, body)
	case r.Method == http.MethodDelete:
		delete(s.objects, key)
		w.WriteHeader(http.StatusNoContent)
	default:
		s.read(w, r, key)
	}
}

func (s *Store) tagging(w http.ResponseWriter, r *http.Request, key string, body []byte) {
	o := s.objects[key]
	switch {
	case o == nil:
		refuse(w, http.StatusNotFound, "NoSuchKey")
	case r.Method == http.MethodPut:
		o.Tags = string(body)
	case o.Tags == "":
		answer(w, "<Tagging><TagSet></TagSet></Tagging>")
	default:
		answer(w, o.Tags)
	}
}

func (s *Store) store(w http.ResponseWriter, r *http.Request, key string, body []byte) {
	from := r.Header.Get("X-Amz-Copy-Source")
	if from == "" {
		w.Header().Set("ETag", `"`+s.put(key, body).ETag+`"`)
		return
	}
	from, err := url.PathUnescape(strings.TrimPrefix(from, "/"))
	o := s.objects[strings.TrimPrefix(from, Bucket+"/")]
	switch {
	case err != nil || o == nil:
		refuse(w, http.StatusNotFound, "NoSuchKey")
	case !matches(r.Header.Get("X-Amz-Copy-Source-If-Match"), o):
		refuse(w, http.StatusPreconditionFailed, "PreconditionFailed")
	default:
		copied := s.put(key, o.Content)
		answer(w, fmt.Sprintf("<CopyObjectResult><ETag>%s</ETag><LastModified>%s</LastModified></CopyObjectResult>",
			copied.ETag, copied.Written.Format(time.RFC3339)))
	}
}

func matches(tag string, o *Object) bool { return tag == "" || strings.Trim(tag, `"`) == o.ETag }

func (s *Store) read(w http.ResponseWriter, r *http.Request, key string) {
	o := s.objects[key]
	switch {
	case o == nil:
		refuse(w, http.StatusNotFound, "NoSuchKey")
		return
	case s.deny[key]:
		refuse(w, http.StatusForbidden, "AccessDenied")
		return
	case !matches(r.Header.Get("If-Match"), o):
		refuse(w, http.StatusPreconditionFailed, "PreconditionFailed")
		return
	}
	w.Header().Set("ETag", `"`+o.ETag+`"`)
	w.Header().Set("Last-Modified", o.Written.Format(http.TimeFormat))
	content, status := o.Content, http.StatusOK
	if asked, ok := strings.CutPrefix(r.Header.Get("Range"), "bytes="); ok {
		from, err := strconv.Atoi(strings.TrimSuffix(asked, "-"))
		if err != nil || from >= len(content) {
			refuse(w, http.StatusRequestedRangeNotSatisfiable, "InvalidRange")
			return
		}
		w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", from, len(content)-1, len(content)))
		content, status = content[from:], http.StatusPartialContent
	}
	if r.Method == http.MethodGet {
		s.ranges = append(s.ranges, r.Header.Get("Range"))
	}
	w.Header().Set("Content-Length", strconv.Itoa(len(content)))
	w.WriteHeader(status)
	if r.Method == http.MethodHead {
		return
	}
	if most := int(s.Break.Load()); most > 0 && most < len(content) {
		_, _ = w.Write(content[:most])
		panic(http.ErrAbortHandler)
	}
	_, _ = w.Write(content)
}

func (s *Store) list(w http.ResponseWriter, q url.Values) {
	type content struct {
		Key, ETag, LastModified string
		Size                    int
	}
	type prefix struct{ Prefix string }
	type result struct {
		XMLName               xml.Name `xml:"ListBucketResult"`
		IsTruncated           bool
		NextContinuationToken string
		Contents              []content
		CommonPrefixes        []prefix
	}
	var keys []string
	for k := range s.objects {
		if strings.HasPrefix(k, q.Get("prefix")) && k > q.Get("continuation-token") {
			keys = append(keys, k)
		}
	}
	slices.Sort(keys)
	var out result
	for _, k := range keys {
		rest := strings.TrimPrefix(k, q.Get("prefix"))
		if below, _, ok := strings.Cut(rest, "/"); ok && q.Get("delimiter") == "/" {
			p := prefix{q.Get("prefix") + below + "/"}
			if !slices.Contains(out.CommonPrefixes, p) {
				out.CommonPrefixes = append(out.CommonPrefixes, p)
			}
			continue
		}
		if len(out.Contents) == s.PageSize {
			out.IsTruncated, out.NextContinuationToken = true, out.Contents[len(out.Contents)-1].Key
			break
		}
		o := s.objects[k]
		out.Contents = append(out.Contents, content{k, `"` + o.ETag + `"`, o.Written.Format("2006-01-02T15:04:05.000Z"),
			len(o.Content)})
	}
	text, err := xml.Marshal(out)
	if err != nil {
		refuse(w, http.StatusInternalServerError, "InternalError")
		return
	}
	answer(w, string(text))
}

func answer(w http.ResponseWriter, text string) {
	w.Header().Set("Content-Type", "application/xml")
	_, _ = io.WriteString(w, xml.Header+text)
}

func refuse(w http.ResponseWriter, status int, code string) {
	w.Header().Set("Content-Type", "application/xml")
	w.WriteHeader(status)
	_, _ = fmt.Fprintf(w, "<Error><Code>%s</Code><Message>no</Message></Error>", code)
}

// checkSignature gives what is wrong with a request's signature, as the code of the answer.
func checkSignature(r *http.Request, body []byte) string {
	fields := map[string]string{}
	text, ok := strings.CutPrefix(r.Header.Get("Authorization"), "AWS4-HMAC-SHA256 ")
	if !ok {
		return "AccessDenied"
	}
	for part := range strings.SplitSeq(text, ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(part), "=")
		fields[name] = value
	}
	scope := strings.Split(fields["Credential"], "/")
	if len(scope) != 5 || scope[0] != AccessKey {
		return "InvalidAccessKeyId"
	}
	if scope[2] != Region && !r.URL.Query().Has("location") {
		return "AuthorizationHeaderMalformed"
	}
	sum := r.Header.Get("X-Amz-Content-Sha256")
	if own := sha256.Sum256(body); !strings.HasPrefix(sum, "STREAMING-") && sum != "UNSIGNED-PAYLOAD" &&
		sum != hex.EncodeToString(own[:]) {
		return "XAmzContentSHA256Mismatch"
	}
	var headers strings.Builder
	for name := range strings.SplitSeq(fields["SignedHeaders"], ";") {
		value := strings.Join(r.Header.Values(name), ",")
		switch name {
		case "host":
			value = r.Host
		case "content-length":
			value = strconv.FormatInt(r.ContentLength, 10)
		}
		headers.WriteString(name + ":" + strings.TrimSpace(value) + "\n")
	}
	canonical := strings.Join([]string{r.Method, r.URL.EscapedPath(), canonicalQuery(r.URL.Query()), headers.String(),
		fields["SignedHeaders"], sum}, "\n")
	hash := sha256.Sum256([]byte(canonical))
	toSign := strings.Join([]string{"AWS4-HMAC-SHA256", r.Header.Get("X-Amz-Date"), strings.Join(scope[1:], "/"),
		hex.EncodeToString(hash[:])}, "\n")
	key := []byte("AWS4" + SecretKey)
	for _, part := range append(scope[1:], toSign) {
		mac := hmac.New(sha256.New, key)
		mac.Write([]byte(part))
		key = mac.Sum(nil)
	}
	if hex.EncodeToString(key) != fields["Signature"] {
		return "SignatureDoesNotMatch"
	}
	return ""
}

func canonicalQuery(q url.Values) string { return strings.ReplaceAll(q.Encode(), "+", "%20") }

// unchunk takes off the frames of a body that was sent in signed chunks.
func unchunk(body []byte) ([]byte, error) {
	in := bufio.NewReader(bytes.NewReader(body))
	var out bytes.Buffer
	for {
		line, err := in.ReadString('\n')
		if err != nil {
			return nil, err
		}
		size, _, _ := strings.Cut(strings.TrimSpace(line), ";")
		n, err := strconv.ParseInt(size, 16, 64)
		if err != nil {
			return nil, err
		}
		if n == 0 {
			return out.Bytes(), nil
		}
		if _, err := io.CopyN(&out, in, n); err != nil {
			return nil, err
		}
		if _, err := in.ReadString('\n'); err != nil {
			return nil, err
		}
	}
}
