package sandbox

import (
	"crypto/md5" // DHIS2 keeps MD5 sums of its files; nothing depends on their strength
	"encoding/hex"
	"fmt"
	"io"
	"mime"
	"net/http"
	"path"
	"strings"
	"time"
)

// Limits on uploaded files: DHIS2's own on one file (max.file_upload_size), and one on all of them, because the sandbox holds them in memory.
const (
	maxFile     = 10_000_000
	maxAllFiles = 256 << 20
)

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

// Files that could be run or shown by a browser are refused (DHIS2 FileResourceBlocklist).
var (
	blockedTypes = setOf(strings.Fields(`text/html text/css text/javascript font/otf application/x-shockwave-flash application/vnd.debian.binary-package
		application/x-rpm application/java-archive application/x-ms-dos-executable application/vnd.microsoft.portable-executable
		application/vnd.apple.installer+xml application/vnd.mozilla.xul+xml application/x-httpd-php application/x-sh application/x-csh`))
	blockedExtensions = setOf(strings.Fields("html htm css js mjs otf swf deb rpm jar jsp exe msi mpkg xul php bin sh csh bat"))
)

// fileDomains are what a file may be for.
func (m manners) fileDomains() []string {
	if m >= 43 {
		return strings.Fields("DATA_VALUE DOCUMENT MESSAGE_ATTACHMENT USER_AVATAR ORG_UNIT ICON JOB_DATA")
	}
	return strings.Fields("DATA_VALUE PUSH_ANALYSIS DOCUMENT MESSAGE_ATTACHMENT USER_AVATAR ORG_UNIT ICON JOB_DATA")
}

// fileAnswer is how the answer to an upload calls itself.
func (m manners) fileAnswer() string {
	if m == 42 {
		return "FileResourceWebMessageResponse"
	}
	return "FileResource"
}

// files answers what is below /api/fileResources.
func (c *call) files() {
	if c.at(1) == "" {
		if c.method(http.MethodPost) {
			c.upload()
		}
		return
	}
	if !c.method(http.MethodGet) {
		return
	}
	c.srv.store.mu.RLock()
	defer c.srv.store.mu.RUnlock()
	f := c.srv.store.files[c.at(1)]
	switch {
	case f == nil:
		c.srv.refused(c.w, c.unknown("FileResource", c.at(1)))
	case c.at(2) == "" && c.query.Has("fields"):
		set, err := parseFields(c.query["fields"])
		if err != nil {
			c.srv.refused(c.w, refuse(http.StatusBadRequest, "", "%s", err.Error()))
			return
		}
		c.srv.json(c.w, http.StatusOK, project(c.fileObject(f, false), set, plainSource{}))
	case c.at(2) == "":
		c.srv.json(c.w, http.StatusOK, c.fileObject(f, false))
	case c.at(2) == "data" && (f.Domain == "DATA_VALUE" || f.Domain == "PUSH_ANALYSIS"):
		text := fmt.Sprintf("You don't have access to fileResource '%s' or this fileResource is not available from this endpoint", f.UID)
		c.srv.refused(c.w, refuse(http.StatusForbidden, "E1006", "%s", text))
	case c.at(2) == "data":
		c.content(f)
	default:
		c.srv.notFound(c.w, c.r)
	}
}

// content answers with a file itself.
func (c *call) content(f *fileResource) {
	c.w.Header().Set("Content-Type", f.ContentType)
	c.w.Header().Set("Content-Disposition", mime.FormatMediaType("attachment", map[string]string{"filename": f.Name}))
	c.w.WriteHeader(http.StatusOK)
	_, _ = c.w.Write(f.Content) // a client that has gone is no fault of the sandbox
}

// upload answers POST /api/fileResources.
func (c *call) upload() {
	domain := c.query.Get("domain")
	if domain == "" {
		domain = "DATA_VALUE"
	}
	f := &fileResource{UID: c.query.Get("uid"), Domain: domain, By: c.user.username, Created: c.srv.now().UTC()}
	if all := c.srv.manners.fileDomains(); !contains(all, domain) {
		c.srv.refused(c.w, refuse(http.StatusBadRequest, "", "Value '%s' is not valid for parameter domain. Valid values are: [%s]", domain, strings.Join(all, ", ")))
		return
	}
	if p := c.readFile(f); p != nil {
		c.srv.refused(c.w, p)
		return
	}
	if p := c.srv.store.keepFile(f); p != nil {
		c.srv.refused(c.w, p)
		return
	}
	c.srv.json(c.w, http.StatusAccepted, message{HTTPStatus: "Accepted", HTTPStatusCode: http.StatusAccepted, Status: "OK",
		Response: object{"responseType": c.srv.manners.fileAnswer(), "fileResource": c.fileObject(f, true)}})
}

// readFile takes the part named file of a form.
func (c *call) readFile(f *fileResource) *problem {
	c.r.Body = http.MaxBytesReader(c.w, c.r.Body, maxFile+1<<20)
	form, err := c.r.MultipartReader()
	if err != nil {
		return refuse(http.StatusUnsupportedMediaType, "", "Content-Type '%s' is not supported", c.r.Header.Get("Content-Type"))
	}
	for {
		part, err := form.NextPart()
		if err != nil {
			return &problem{status: http.StatusBadRequest, text: "Required part 'file' is not present.", page: true}
		}
		if part.FormName() != "file" {
			continue
		}
		f.Name, f.ContentType = part.FileName(), part.Header.Get("Content-Type")
		f.Content, err = io.ReadAll(io.LimitReader(part, maxFile+1))
		switch {
		case err != nil || len(f.Content) == 0:
			return refuse(http.StatusConflict, "E1004", "Could not read file or file is empty.")
		case len(f.Content) > maxFile:
			return refuse(http.StatusConflict, "E1004", "File size can't be bigger than %d, current file size is larger", maxFile)
		}
		break
	}
	if f.Name == "" {
		f.Name = "untitled"
	}
	if _, _, err := mime.ParseMediaType(f.ContentType); err != nil {
		f.ContentType = "application/octet-stream"
	}
	if blockedTypes[strings.ToLower(f.ContentType)] || blockedExtensions[strings.TrimPrefix(path.Ext(strings.ToLower(f.Name)), ".")] {
		return refuse(http.StatusConflict, "E6101", "File type not allowed")
	}
	sum := md5.Sum(f.Content)
	f.MD5 = hex.EncodeToString(sum[:])
	return nil
}

// keepFile locks by itself.
func (st *store) keepFile(f *fileResource) *problem {
	st.mu.Lock()
	defer st.mu.Unlock()
	if f.UID == "" {
		f.UID = newUID()
	}
	switch {
	case st.files[f.UID] != nil:
		return refuse(http.StatusConflict, "E1119", "FileResource already exists: `%s`", f.UID)
	case st.fileBytes+len(f.Content) > maxAllFiles:
		return refuse(http.StatusConflict, "E1004", "The sandbox holds %d MB of files and takes no more: start it anew", maxAllFiles>>20)
	}
	st.putFile(f)
	if err := st.state.flush(); err != nil {
		return refuse(http.StatusInternalServerError, "", "%s", err.Error())
	}
	return nil
}

// assign gives a file to the tracked entity or the event that names it in a value.
func (st *store) assign(uid, owner string) {
	if f := st.files[uid]; f != nil {
		f.Assigned, f.Owner = true, owner
		st.state.note("fi", f)
	}
}

// fileObject is a file as the API shows it; with its owner right after it was uploaded.
func (c *call) fileObject(f *fileResource, fresh bool) object {
	by := c.userObject(f.By)
	sharing := object{"users": object{}, "userGroups": object{}}
	if c.srv.manners == 42 {
		sharing["external"] = false
	}
	if fresh {
		sharing["owner"], sharing["public"] = by["id"], "--------"
	}
	return object{"id": f.UID, "name": f.Name, "displayName": f.Name, "created": stamp(f.Created), "lastUpdated": stamp(f.Created), "createdBy": by,
		"lastUpdatedBy": by, "user": by, "translations": []any{}, "favorites": []any{}, "favorite": false, "attributeValues": []any{}, "sharing": sharing,
		"contentType": f.ContentType, "contentLength": len(f.Content), "contentMd5": f.MD5, "assigned": f.Assigned, "domain": f.Domain,
		"hasMultipleStorageFiles": c.srv.manners >= 43 && f.image(), "storageStatus": "PENDING"}
}

// userObject is a user as other objects name one.
func (c *call) userObject(username string) object {
	u := c.srv.catalog.users[username]
	if u == nil {
		return object{"username": username}
	}
	var code any
	if s := str(c.srv.catalog.byID[u.uid].obj, "code"); s != "" {
		code = s
	}
	if u.username == adminName && code == nil {
		code = adminName
	}
	name := strings.TrimSpace(u.firstName + " " + u.surname)
	return object{"id": u.uid, "code": code, "name": name, "displayName": name, "username": u.username}
}
