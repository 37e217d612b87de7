package sandbox

import (
	"crypto/md5" // DHIS2 keeps MD5 sums of its files; nothing depends on their strength
	"encoding/hex"
	"fmt"
	"io"
	"mime"
	"net/http"
	"path"
	"slices"
	"strings"
)

// Limits on uploaded files: DHIS2's own on one file (max.file_upload_size), and one on all of them, because the sandbox holds them in memory.
const (
	maxFile     = 10_000_000
	maxAllFiles = 256 << 20
)

// Files that could be run or shown by a browser are refused (DHIS2 FileResourceBlocklist).
var (
	blockedTypes = setOf(strings.Fields(`text/html text/css text/javascript font/otf application/x-shockwave-flash application/vnd.debian.binary-package
		application/x-rpm application/java-archive application/x-ms-dos-executable application/vnd.microsoft.portable-executable
		application/vnd.apple.installer+xml application/vnd.mozilla.xul+xml application/x-httpd-php application/x-sh application/x-csh`))
	blockedExtensions = setOf(strings.Fields("html htm css js mjs otf swf deb rpm jar jsp exe msi mpkg xul php bin sh csh bat"))
)

// files answers what is below /api/fileResources.
func (c *apiCall) files() {
	if c.at(1) == "" {
		if c.method(http.MethodPost) {
			c.upload()
		}
		return
	}
	if !c.method(http.MethodGet) {
		return
	}
	c.store.mu.RLock()
	defer c.store.mu.RUnlock()
	f := c.store.files[c.at(1)]
	switch {
	case f == nil:
		c.refused(c.unknown("FileResource", c.at(1)))
	case c.at(2) == "" && c.query.Has("fields"):
		set, err := parseFields(c.query["fields"])
		if err != nil {
			c.refused(refuse(http.StatusBadRequest, "", "%s", err.Error()))
			return
		}
		c.json(http.StatusOK, project(c.fileObject(f, false), set, plainSource{}))
	case c.at(2) == "":
		c.json(http.StatusOK, c.fileObject(f, false))
	case c.at(2) == "data" && (f.Domain == "DATA_VALUE" || f.Domain == "PUSH_ANALYSIS"):
		text := fmt.Sprintf("You don't have access to fileResource '%s' or this fileResource is not available from this endpoint", f.UID)
		c.refused(refuse(http.StatusForbidden, "E1006", "%s", text))
	case c.at(2) == "data":
		c.content(f)
	default:
		c.notFound()
	}
}

// content answers with a file itself.
func (c *apiCall) content(f *fileResource) {
	c.w.Header().Set("Content-Type", f.ContentType)
	c.w.Header().Set("Content-Disposition", mime.FormatMediaType("attachment", map[string]string{"filename": f.Name}))
	c.w.WriteHeader(http.StatusOK)
	_, _ = c.w.Write(f.Content) // a client that has gone is no fault of the sandbox
}

// upload answers POST /api/fileResources.
func (c *apiCall) upload() {
	domain := c.query.Get("domain")
	if domain == "" {
		domain = "DATA_VALUE"
	}
	f := &fileResource{UID: c.query.Get("uid"), Domain: domain, By: c.user.username, Created: c.now().UTC()}
	if all := c.manners.fileDomains(); !slices.Contains(all, domain) {
		c.refused(refuse(http.StatusBadRequest, "", "Value '%s' is not valid for parameter domain. Valid values are: [%s]", domain, strings.Join(all, ", ")))
		return
	}
	if p := c.readFile(f); p != nil {
		c.refused(p)
		return
	}
	if p := keepFile(c.store, f); p != nil {
		c.refused(p)
		return
	}
	c.json(http.StatusAccepted, message{HTTPStatus: "Accepted", HTTPStatusCode: http.StatusAccepted, Status: "OK",
		Response: object{"responseType": c.manners.fileAnswer(), "fileResource": c.fileObject(f, true)}})
}

// readFile takes the part named file of a form.
func (c *apiCall) readFile(f *fileResource) *problem {
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

// keepFile stores a file. It locks by itself.
func keepFile(st *store, f *fileResource) *problem {
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

// fileObject is a file as the API shows it; with its owner right after it was uploaded.
func (c *apiCall) fileObject(f *fileResource, fresh bool) object {
	by := c.userObject(f.By)
	sharing := object{"users": object{}, "userGroups": object{}}
	if c.manners == 42 {
		sharing["external"] = false
	}
	if fresh {
		sharing["owner"], sharing["public"] = by["id"], "--------"
	}
	return object{"id": f.UID, "name": f.Name, "displayName": f.Name, "created": stamp(f.Created), "lastUpdated": stamp(f.Created), "createdBy": by,
		"lastUpdatedBy": by, "user": by, "translations": []any{}, "favorites": []any{}, "favorite": false, "attributeValues": []any{}, "sharing": sharing,
		"contentType": f.ContentType, "contentLength": len(f.Content), "contentMd5": f.MD5, "assigned": f.Assigned, "domain": f.Domain,
		"hasMultipleStorageFiles": c.manners >= 43 && f.image(), "storageStatus": "PENDING"}
}

// userObject is a user as other objects name one.
func (c *apiCall) userObject(username string) object {
	u := c.catalog.users[username]
	if u == nil {
		return object{"username": username}
	}
	var code any
	if s := str(c.catalog.byID[u.uid].obj, "code"); s != "" {
		code = s
	}
	if u.username == adminName && code == nil {
		code = adminName
	}
	name := strings.TrimSpace(u.firstName + " " + u.surname)
	return object{"id": u.uid, "code": code, "name": name, "displayName": name, "username": u.username}
}
