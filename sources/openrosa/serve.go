package openrosa

import (
	"bytes"
	"compress/gzip"
	"encoding/xml"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"path"
	"strings"
	"time"
)

// Names below the address that phones are given.
const (
	ListName = "formList"
	hosted   = Folder + "/" // the forms, by their paths in the project
)

// Versions of what is spoken, in a header of every answer; Collect takes none without it.
const (
	versionHeader = "X-OpenRosa-Version"
	spoken        = "1.0"
)

const xmlType = "text/xml; charset=utf-8"

// Asked is what a request below an address asks for.
type Asked struct {
	File     string // the form, by its path in the project; empty: the list of all
	Manifest bool   // the list of the files that it needs
	Media    string // one of them
}

// manifestSuffix ends the name of the list of a form's files.
const manifestSuffix = ".manifest.xml"

// Below tells what a path below an address asks for; it is not ok when that is none of its business.
func Below(rest string) (a Asked, ok bool) {
	rest = strings.TrimPrefix(rest, "/")
	if rest == ListName {
		return a, true
	}
	if !strings.HasPrefix(rest, hosted) || path.Clean(rest) != rest {
		return a, false
	}
	switch folder := path.Dir(rest); {
	case strings.HasSuffix(folder, "-media"):
		a.File, a.Media = strings.TrimSuffix(folder, "-media")+".xml", path.Base(rest)
	case strings.HasSuffix(rest, manifestSuffix):
		a.File, a.Manifest = strings.TrimSuffix(rest, manifestSuffix)+".xml", true
	default:
		a.File = rest
	}
	return a, true
}

// Serve answers what was asked for of the forms of an address; base is the address as the phone knows it. It is
// not ok when there is no such thing.
func (s *Shelf) Serve(w http.ResponseWriter, r *http.Request, a Asked, forms []*Form, base string) (ok bool,
	err error) {
	w.Header().Set(versionHeader, spoken)
	w.Header().Set("X-Content-Type-Options", "nosniff")
	if a.File == "" {
		return true, s.serveList(w, r, forms, base)
	}
	var form *Form
	for _, f := range forms {
		if strings.EqualFold(f.File, a.File) && (form == nil || f.File == a.File) {
			form = f
		}
	}
	switch {
	case form == nil:
		return false, nil
	case a.Manifest:
		list, err := s.Media(form)
		if err != nil {
			return true, err
		}
		text, err := manifest(form, list, base)
		if err != nil {
			return true, err
		}
		send(w, r, xmlType, text)
		return true, nil
	case a.Media != "":
		return s.serveMedia(w, r, form, a.Media)
	}
	send(w, r, xmlType, form.Text)
	return true, nil
}

// listed is one form of the list; OpenRosa 1.0, form discovery API.
type listed struct {
	ID          string `xml:"formID"`
	Name        string `xml:"name"`
	Version     string `xml:"version"`
	Hash        string `xml:"hash"`
	DownloadURL string `xml:"downloadUrl"`
	ManifestURL string `xml:"manifestUrl,omitempty"`
}

// serveList answers with the newest version of each form, or with all (listAllVersions), or with those of
// one form (formID).
func (s *Shelf) serveList(w http.ResponseWriter, r *http.Request, forms []*Form, base string) error {
	q := r.URL.Query()
	if !strings.EqualFold(q.Get("listAllVersions"), "true") {
		forms = Newest(forms)
	}
	list := struct {
		XMLName xml.Name `xml:"http://openrosa.org/xforms/xformsList xforms"`
		Forms   []listed `xml:"xform"`
	}{}
	for _, f := range forms {
		if id := q.Get("formID"); id != "" && id != f.ID {
			continue
		}
		l := listed{ID: f.ID, Name: f.Title, Version: f.Version, Hash: "md5:" + f.Hash, DownloadURL: address(base, f.File)}
		if len(s.list(MediaFolder(f.File))) > 0 {
			l.ManifestURL = address(base, strings.TrimSuffix(f.File, path.Ext(f.File))+manifestSuffix)
		}
		list.Forms = append(list.Forms, l)
	}
	text, err := document(list)
	if err != nil {
		return err
	}
	send(w, r, xmlType, text)
	return nil
}

// manifest lists the files that a form needs.
func manifest(f *Form, media []Media, base string) ([]byte, error) {
	type file struct {
		Name        string `xml:"filename"`
		Hash        string `xml:"hash"`
		DownloadURL string `xml:"downloadUrl"`
	}
	list := struct {
		XMLName xml.Name `xml:"http://openrosa.org/xforms/xformsManifest manifest"`
		Files   []file   `xml:"mediaFile"`
	}{}
	for _, m := range media {
		list.Files = append(list.Files, file{m.Name, "md5:" + m.Hash,
			address(base, path.Join(MediaFolder(f.File), m.Name))})
	}
	return document(list)
}

func document(v any) ([]byte, error) {
	text, err := xml.MarshalIndent(v, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("write the list: %w", err)
	}
	return append([]byte(xml.Header), append(text, '\n')...), nil
}

// address gives the URL of a file of the project below an address.
func address(base, file string) string {
	return base + "/" + (&url.URL{Path: file}).EscapedPath()
}

// send answers with a text, packed where the phone takes that: lines are poor. What it has already is not sent again.
func send(w http.ResponseWriter, r *http.Request, kind string, text []byte) {
	header := w.Header()
	packed := len(text) > 1000 && strings.Contains(r.Header.Get("Accept-Encoding"), "gzip")
	tag := sum(text)
	if packed {
		tag += "-gzip"
	}
	tag = `"` + tag + `"`
	header.Set("Etag", tag)
	header.Set("Cache-Control", "private")
	header.Add("Cache-Control", "no-cache")
	header.Set("Vary", "Accept-Encoding")
	header.Set("Content-Type", kind)
	if strings.Contains(r.Header.Get("If-None-Match"), tag) {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	if packed {
		var b bytes.Buffer
		z := gzip.NewWriter(&b)
		_, _ = z.Write(text) // into memory
		_ = z.Close()
		text = b.Bytes()
		header.Set("Content-Encoding", "gzip")
	}
	header.Set("Content-Length", fmt.Sprint(len(text)))
	unhurried(w, int64(len(text)))
	if r.Method == http.MethodHead {
		return
	}
	_, _ = w.Write(text) // the phone is gone when this fails, and asks again
}

// serveMedia answers with a file beside a form, also with the rest of it.
func (s *Shelf) serveMedia(w http.ResponseWriter, r *http.Request, form *Form, name string) (bool, error) {
	folder := MediaFolder(form.File)
	found := false
	for _, n := range s.list(folder) {
		found = found || n == name
	}
	if !found {
		return false, nil
	}
	m, err := s.media(folder, name)
	if err != nil {
		return true, err
	}
	f, err := os.Open(m.file)
	if err != nil {
		return true, fmt.Errorf("open %s: %w", path.Join(folder, name), err)
	}
	defer func() { _ = f.Close() }()
	w.Header().Set("Etag", `"`+m.Hash+`"`)
	w.Header().Set("Cache-Control", "private")
	w.Header().Add("Cache-Control", "no-cache")
	unhurried(w, m.info.Size())
	http.ServeContent(w, r, name, time.Time{}, f)
	return true, nil
}

// Bounds on how slowly what is handed out may go: a poor line keeps up with them.
const (
	slowest = 2 << 10 // bytes a second
	longest = 6 * time.Hour
)

// unhurried gives a phone on a poor line the time that it needs.
func unhurried(w http.ResponseWriter, size int64) {
	allowed := min(2*time.Minute+time.Duration(size/slowest)*time.Second, longest)
	// A connection that has none, in tests, needs none.
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(allowed))
}

// Base gives the address that a phone knows, of a path below it as Culvert sees it: what proxies say of the name
// that they were called by goes before our own. Nobody but the phone gets what is made of it. public is the
// address as the project says it; empty: it does not.
func Base(r *http.Request, public, at string) string {
	at = strings.TrimRight(at, "/")
	if public != "" {
		return strings.TrimRight(public, "/") + (&url.URL{Path: at}).EscapedPath()
	}
	scheme := "http"
	if r.TLS != nil {
		scheme = "https"
	}
	host := r.Host
	said := forwarded(r.Header.Get("Forwarded"))
	if p := strings.ToLower(first(r.Header.Get("X-Forwarded-Proto"), said["proto"])); p == "http" || p == "https" {
		scheme = p
	}
	if h := first(r.Header.Get("X-Forwarded-Host"), said["host"]); isHost(h) {
		host = h
	}
	if p := first(r.Header.Get("X-Forwarded-Port")); p != "" && !hasPort(host) && isHost(host+":"+p) &&
		(scheme != "http" || p != "80") && (scheme != "https" || p != "443") {
		host += ":" + p
	}
	prefix := ""
	if p := first(r.Header.Get("X-Forwarded-Prefix")); strings.HasPrefix(p, "/") && !strings.HasPrefix(p, "//") &&
		path.Clean(p) != "/" {
		prefix = (&url.URL{Path: path.Clean(p)}).EscapedPath()
	}
	return scheme + "://" + host + prefix + (&url.URL{Path: at}).EscapedPath()
}

// first gives the first entry of the first list that is not empty: what the outermost proxy said.
func first(lists ...string) string {
	for _, list := range lists {
		if one, _, _ := strings.Cut(list, ","); strings.TrimSpace(one) != "" {
			return strings.TrimSpace(one)
		}
	}
	return ""
}

// forwarded reads the first entry of the header Forwarded (RFC 7239).
func forwarded(header string) map[string]string {
	said := map[string]string{}
	for _, pair := range strings.Split(first(header), ";") {
		name, value, _ := strings.Cut(pair, "=")
		said[strings.ToLower(strings.TrimSpace(name))] = strings.Trim(strings.TrimSpace(value), `"`)
	}
	return said
}

// isHost tells whether a text is a host, with a port or not, and nothing else.
func isHost(text string) bool {
	u, err := url.Parse("http://" + text)
	return text != "" && err == nil && u.Host == text && u.Hostname() != "" && u.User == nil && u.Path == ""
}

func hasPort(host string) bool {
	u, err := url.Parse("http://" + host)
	return err == nil && u.Port() != ""
}

// Unreachable tells whether an address leads nowhere from a phone, though the request came by a proxy: it does not
// pass on the name that it was called by.
func Unreachable(r *http.Request, base string) bool {
	u, err := url.Parse(base)
	if err != nil {
		return true
	}
	addr, err := netip.ParseAddr(u.Hostname())
	local := strings.EqualFold(u.Hostname(), "localhost") || err == nil && addr.IsLoopback()
	return local && (r.Header.Get("X-Forwarded-For") != "" || r.Header.Get("Via") != "" || r.Header.Get("X-Real-Ip") != "")
}
