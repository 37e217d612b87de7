package webhook

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net/http"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/culvert/culvert/rules"
	"github.com/culvert/culvert/rules/diag"
	"github.com/culvert/culvert/rules/yamlnode"
	"github.com/culvert/culvert/sources"
	"github.com/culvert/culvert/sources/openrosa"
)

// submissionEnd is what phones put behind the address that they are given to submit a form.
const submissionEnd = "/submission"

// hosting is the address of an endpoint without it: the one that phones are given. It is not ok for an endpoint to
// which no phone submits by itself.
func hosting(at string) (address string, ok bool) {
	if at == submissionEnd {
		return "/", true
	}
	return strings.TrimSuffix(at, submissionEnd), strings.HasSuffix(at, submissionEnd)
}

// hosts gives the endpoint below whose address a path lies, and what of its forms the path names. A rule
// that takes records at just this path goes before.
func (t *table) hosts(asked string) (*endpoint, openrosa.Asked) {
	p := cleanPath(asked)
	if t.paths[p] != nil {
		return nil, openrosa.Asked{}
	}
	// Of addresses below each other the nearest is meant.
	for _, address := range slices.Backward(slices.SortedFunc(maps.Keys(t.hosting), byLength)) {
		rest, below := strings.CutPrefix(p, address)
		if !below || address != "/" && !strings.HasPrefix(rest, "/") {
			continue
		}
		if a, ok := openrosa.Below(rest); ok {
			return t.hosting[address], a
		}
	}
	return nil, openrosa.Asked{}
}

func byLength(a, b string) int { return cmp.Compare(len(a), len(b)) }

// handOut answers a phone that asks for forms.
func (h *Handler) handOut(a *answerer, r *http.Request, e *endpoint, asked openrosa.Asked) {
	if err := h.handOutTo(a.w, r, e, asked); err != nil {
		h.refused(a, e, err)
	}
}

// handOutTo answers with what was asked for. The error is a *refusal, or what could not be read.
func (h *Handler) handOutTo(w http.ResponseWriter, r *http.Request, e *endpoint, asked openrosa.Asked) error {
	from := Caller(r, *h.proxies.Load())
	routes := without(e.inNetwork(from), func(x *Route) bool { return len(x.Forms) == 0 })
	switch {
	case len(routes) == 0:
		return &refusal{http.StatusForbidden, "this address may not send to this path",
			"add its network to networks in the rule, if it should"}
	case r.Method != http.MethodGet && r.Method != http.MethodHead:
		w.Header().Set("Allow", "GET, HEAD")
		return &refusal{http.StatusMethodNotAllowed, "forms are only read here", "submit to " + e.path}
	case routes[0].Off:
		return busy(w, offWait, "the rule that takes records here is switched off")
	case slices.ContainsFunc(routes, func(x *Route) bool { return x.Closed }):
		return busy(w, 0, "a secret that this path needs is missing where Culvert runs")
	}
	// Nobody signs a request for a form.
	routes = without(routes, func(x *Route) bool { return x.Auth.signed() })
	if len(routes) == 0 {
		return h.unauthorized(w, r, e, false)
	}
	routes, err := h.admitted(w, r, e, routes, from)
	if err != nil {
		return err
	}
	leave, ok := h.callers.enter(e.path, from)
	if !ok {
		return busy(w, time.Second, "too many requests of this sender are under way")
	}
	defer leave()
	var entries []string
	for _, x := range routes {
		entries = append(entries, x.Forms...)
	}
	address, _ := hosting(e.path)
	base := openrosa.Base(r, *h.public.Load(), address)
	if _, said := h.unreachable.Load(e.path); !said && openrosa.Unreachable(r, base) {
		h.unreachable.Store(e.path, true)
		h.config.Log.Warn("phones get addresses of forms that lead to this machine alone: have the proxy pass on the Host "+
			"that it was called by, or set public_url in culvert.yaml", "path", e.path)
	}
	found, err := h.shelf.Serve(w, r, asked, h.shelf.Forms(entries), base)
	switch {
	case errors.Is(err, fs.ErrNotExist) || err == nil && !found:
		return &refusal{http.StatusNotFound, "there is no such form here", "read the list of forms again"}
	case err != nil:
		h.config.Log.Error("cannot hand out a form", "path", e.path, "form", asked.File, "error", err)
		return busy(w, 0, "the form cannot be read now")
	}
	h.config.Log.Debug("handed out forms", "path", e.path, "form", asked.File)
	return nil
}

// readForms reads all forms before anybody asks for them, so that there is a good version of what is broken later.
func (h *Handler) readForms(t *table) {
	for _, e := range t.hosting {
		for _, x := range e.routes {
			h.shelf.Forms(x.Forms)
		}
	}
}

// forms gives the forms that a trigger hands out, as it names them.
func (c *configReader) forms(at string) []string {
	n := c.Config.Get("forms")
	if n == nil {
		return nil
	}
	items := []*yamlnode.Node{n}
	if n.Kind == yamlnode.Sequence {
		items = n.Items()
	}
	var list []string
	for _, item := range items {
		if message, hint := noForm(item); message != "" {
			c.Wrong(item, "forms", message, hint)
			continue
		}
		list = append(list, path.Clean(item.Value))
	}
	if _, ok := hosting(at); !ok && at != "" {
		c.Wrong(c.Config.Get("path"), "forms", fmt.Sprintf("phones that get their forms here cannot submit them to %s", at),
			fmt.Sprintf("write path: %s, and give phones the address without %s",
				strings.TrimSuffix(strings.TrimSuffix(at, below), "/")+submissionEnd, submissionEnd))
	}
	if c.Config.Get("table") != nil {
		c.Wrong(n, "forms", "phones submit forms, no tables", "take table: out, or forms:")
	}
	if auth := c.Config.Get("auth"); auth != nil && auth.Get("basic") == nil && auth.Get("none") == nil {
		c.Wrong(auth, "forms", "phones log in with a name and a password, and in no other way",
			"write auth: {basic: {username: phones, password: \"${PHONES_PASSWORD}\"}}")
	}
	return list
}

// noForm says why an entry of forms: is none, and what to write.
func noForm(item *yamlnode.Node) (message, hint string) {
	name := path.Clean(item.Value)
	ext := strings.ToLower(path.Ext(name))
	switch {
	case item.Kind != yamlnode.Scalar || item.IsNull() || item.Value == "":
		return fmt.Sprintf("forms names files or folders below %s/", openrosa.Folder), "write forms: [forms/anc.xml]"
	case ext == ".xlsx" || ext == ".xls":
		return fmt.Sprintf("%s is an XLSForm, which phones do not read", item.Value), openrosa.ToXForm
	case !openrosa.IsFolder(name) && ext != ".xml":
		return fmt.Sprintf("%s is no XForm", item.Value), openrosa.ToXForm
	case strings.Contains(item.Value, `\`) || name != openrosa.Folder && !strings.HasPrefix(name, openrosa.Folder+"/"):
		return fmt.Sprintf("%s does not lie below %s/, where forms are kept", item.Value, openrosa.Folder),
			fmt.Sprintf("move it there, and write %s/%s", openrosa.Folder, path.Base(strings.ReplaceAll(item.Value, `\`, "/")))
	}
	return "", ""
}

// CheckFiles implements sources.Hosting.
func (Kind) CheckFiles(r *rules.Rule, files sources.Files, report func(diag.Diagnostic)) {
	route := read(&r.Trigger, func(diag.Diagnostic) {})
	if len(route.Forms) == 0 {
		return
	}
	key := r.Trigger.Config.Get("forms")
	var forms []*openrosa.Form
	broken := false
	for _, entry := range route.Forms {
		list := openrosa.Expand([]string{entry}, files.List)
		if len(list) == 0 {
			broken = true
			report(finding(diag.Error, "form-file", key.Place(), fmt.Sprintf("no form lies in %s/", entry), openrosa.ToXForm))
		}
		for _, file := range list {
			f := checkForm(file, key.Place(), route.Path, files, report)
			if f == nil {
				broken = true
				continue
			}
			forms = append(forms, f)
		}
	}
	openrosa.Twice(forms, report)
	if !broken {
		checkFields(r, forms, key.Place(), report)
	}
}

func finding(severity diag.Severity, code string, at diag.Place, message, hint string) diag.Diagnostic {
	return diag.Diagnostic{Severity: severity, Problem: diag.Problem{Code: code, Place: at, Message: message, Hint: hint}}
}

// checkForm reports what is wrong with a form and the files beside it; nil when it cannot be handed out.
func checkForm(file string, named diag.Place, at string, files sources.Files,
	report func(diag.Diagnostic)) *openrosa.Form {
	text, err := files.Read(file)
	if err != nil {
		others := slices.DeleteFunc(files.List(path.Dir(file)), func(name string) bool {
			return path.Ext(name) != ".xml" || name == path.Base(file)
		})
		hint := diag.Suggest(path.Base(file), others, "files")
		report(finding(diag.Error, "form-file", named, err.Error(), hint))
		return nil
	}
	f, problem := openrosa.Read(file, text)
	if problem != nil {
		report(diag.Diagnostic{Problem: *problem})
		return nil
	}
	if f.Action != nil && !strings.HasSuffix(strings.TrimRight(f.Action.Text, "/"), at) {
		report(finding(diag.Warning, "form-submission", f.Action.At,
			fmt.Sprintf("phones submit this form to %s, and not to the server that they get it from", f.Action.Text),
			"take action out of <submission> (submission_url in the settings of an XLSForm), so that it comes to "+at))
	}
	if f.Key != nil {
		report(finding(diag.Error, "form-submission", f.Key.At,
			"phones seal what is answered with this form's key, and Culvert cannot open it",
			"take base64RsaPublicKey out (public_key in the settings of an XLSForm), and use https"))
	}
	beside := files.List(openrosa.MediaFolder(file))
	for _, m := range f.Files {
		if !slices.Contains(beside, m.Text) {
			hint := "put it there: phones get it with the form"
			if near := diag.Nearest(m.Text, beside); len(near) > 0 {
				hint = "put it there; did you mean " + diag.Names(near, "or") + "?"
			}
			report(finding(diag.Warning, "form-media", m.At, fmt.Sprintf("the form needs %s, which is not in %s/", m.Text,
				openrosa.MediaFolder(file)), hint))
		}
	}
	return f
}

// checkFields reports what a rule reads of an answer that none of its forms asks for.
func checkFields(r *rules.Rule, forms []*openrosa.Form, at diag.Place, report func(diag.Diagnostic)) {
	asked := map[string]bool{}
	for _, f := range forms {
		maps.Copy(asked, f.Fields)
	}
	for _, choice := range r.Reading().Needs {
		if slices.ContainsFunc(choice, func(names []string) bool { return fromForm(names, asked) }) {
			continue
		}
		name := strings.Join(choice[0][1:], "/")
		report(finding(diag.Warning, "form-field", at, fmt.Sprintf("the rule reads trigger.%s, and no form here has %s",
			strings.Join(choice[0], "."), name), diag.Suggest(name, slices.Sorted(maps.Keys(asked)), "questions")))
	}
}

// fromForm tells whether a field is none of a form's questions, or one that there is.
func fromForm(names []string, asked map[string]bool) bool {
	if len(names) < 2 || names[0] != "form" {
		return true
	}
	if slices.ContainsFunc(names, func(n string) bool { return strings.HasPrefix(n, "@") || strings.HasPrefix(n, "#") }) {
		return true
	}
	return names[1] == "meta" || asked[strings.Join(names[1:], "/")]
}
