package api

import (
	"crypto/md5"
	"encoding/hex"
	"fmt"
	"io"
	"mime"
	"net/http"
	"path"
	"slices"
	"strings"

	"github.com/culvert/culvert/actions/dhis2/sandbox/catalog"
	"github.com/culvert/culvert/actions/dhis2/sandbox/dates"
	"github.com/culvert/culvert/actions/dhis2/sandbox/fields"
	"github.com/culvert/culvert/actions/dhis2/sandbox/ids"
	"github.com/culvert/culvert/actions/dhis2/sandbox/rest"
	"github.com/culvert/culvert/actions/dhis2/sandbox/store"
)

// Limits on uploaded files: DHIS2's own on one file (max.file_upload_size), and one on all of them,
// because the sandbox holds them in memory.
const (
	maxFile     = 10_000_000
	maxAllFiles = 256 << 20
)

// Files that could be run or shown by a browser are refused (DHIS2 FileResourceBlocklist).
var (
	blockedTypes = catalog.SetOf(strings.Fields(`text/html text/css text/javascript font/otf
		application/x-shockwave-flash application/vnd.debian.binary-package application/x-rpm application/java-archive
		application/x-ms-dos-executable application/vnd.microsoft.portable-executable application/vnd.apple.installer+xml
		application/vnd.mozilla.xul+xml application/x-httpd-php application/x-sh application/x-csh`))
	blockedExtensions = catalog.SetOf(strings.Fields("html htm css js mjs otf swf deb rpm jar jsp exe msi mpkg xul php " +
		"bin sh csh bat"))
)

// files answers what is below /api/fileResources.
func (c *call) files() {
	if c.At(1) == "" {
		if c.Method(http.MethodPost) {
			c.upload()
		}
		return
	}
	if !c.Method(http.MethodGet) {
		return
	}
	c.Store.RLock()
	defer c.Store.RUnlock()
	f := c.Store.Files[c.At(1)]
	switch {
	case f == nil:
		c.Refused(c.Unknown("FileResource", c.At(1)))
	case c.At(2) == "" && c.Query.Has("fields"):
		set, err := fields.Parse(c.Query["fields"])
		if err != nil {
			c.Refused(rest.Refuse(http.StatusBadRequest, "", "%s", err.Error()))
			return
		}
		c.JSON(http.StatusOK, fields.Project(c.fileObject(f, false), set, fields.Plain{}))
	case c.At(2) == "":
		c.JSON(http.StatusOK, c.fileObject(f, false))
	case c.At(2) == "data" && (f.Domain == "DATA_VALUE" || f.Domain == "PUSH_ANALYSIS"):
		text := fmt.Sprintf("You don't have access to fileResource '%s' or this fileResource is not available from this "+
			"endpoint", f.UID)
		c.Refused(rest.Refuse(http.StatusForbidden, "E1006", "%s", text))
	case c.At(2) == "data":
		c.content(f)
	default:
		c.NotFound()
	}
}

// content answers with a file itself.
func (c *call) content(f *store.FileResource) {
	c.W.Header().Set("Content-Type", f.ContentType)
	c.W.Header().Set("Content-Disposition", mime.FormatMediaType("attachment", map[string]string{"filename": f.Name}))
	c.W.WriteHeader(http.StatusOK)
	_, _ = c.W.Write(f.Content) // a client that has gone is no fault of the sandbox
}

// upload answers POST /api/fileResources.
func (c *call) upload() {
	domain := c.Query.Get("domain")
	if domain == "" {
		domain = "DATA_VALUE"
	}
	f := &store.FileResource{UID: c.Query.Get("uid"), Domain: domain, By: c.User.Username, Created: c.Now().UTC()}
	if all := c.Version.FileDomains(); !slices.Contains(all, domain) {
		c.Refused(rest.Refuse(http.StatusBadRequest, "",
			"Value '%s' is not valid for parameter domain. Valid values are: [%s]", domain, strings.Join(all, ", ")))
		return
	}
	if p := c.readFile(f); p != nil {
		c.Refused(p)
		return
	}
	if p := keepFile(c.Store, f); p != nil {
		c.Refused(p)
		return
	}
	c.JSON(http.StatusAccepted, rest.Message{HTTPStatus: "Accepted", HTTPStatusCode: http.StatusAccepted, Status: "OK",
		Response: object{"responseType": c.Version.FileAnswer(), "fileResource": c.fileObject(f, true)}})
}

// valueFile answers POST /api/dataValues/file, which takes a file and the aggregate value that it is.
func (c *call) valueFile() {
	if !c.Method(http.MethodPost) || !c.Authorised("F_DATAVALUE_ADD") {
		return
	}
	f := &store.FileResource{Domain: "DATA_VALUE", By: c.User.Username, Created: c.Now().UTC()}
	p := c.readFile(f)
	if p == nil {
		p = keepFile(c.Store, f)
	}
	if p == nil {
		c.Query.Set("value", f.UID)
		p = c.srv.values.WriteOne(c.Call)
	}
	if p != nil {
		c.Refused(p)
		return
	}
	c.JSON(http.StatusAccepted, rest.Message{HTTPStatus: "Accepted", HTTPStatusCode: http.StatusAccepted, Status: "OK",
		Response: object{"responseType": c.Version.FileAnswer(), "fileResource": c.fileObject(f, true)}})
}

// readFile takes the part named file of a form.
func (c *call) readFile(f *store.FileResource) *rest.Problem {
	c.R.Body = http.MaxBytesReader(c.W, c.R.Body, maxFile+1<<20)
	form, err := c.R.MultipartReader()
	if err != nil {
		return rest.Refuse(http.StatusUnsupportedMediaType, "", "Content-Type '%s' is not supported",
			c.R.Header.Get("Content-Type"))
	}
	for {
		part, err := form.NextPart()
		if err != nil {
			text := "Required part 'file' is not present."
			if !c.Version.HTMLNotFound() {
				text = "Required request part 'file' is not present"
			}
			return &rest.Problem{Status: http.StatusBadRequest, Text: text, Page: true}
		}
		if part.FormName() != "file" {
			continue
		}
		f.Name, f.ContentType = part.FileName(), part.Header.Get("Content-Type")
		f.Content, err = io.ReadAll(io.LimitReader(part, maxFile+1))
		switch {
		case err != nil || len(f.Content) == 0:
			return rest.Refuse(http.StatusConflict, "E1004", "Could not read file or file is empty.")
		case len(f.Content) > maxFile:
			return rest.Refuse(http.StatusConflict, "E1004", "File size can't be bigger than %d, current file size is larger",
				maxFile)
		}
		break
	}
	if f.Name == "" {
		f.Name = "untitled"
	}
	if _, _, err := mime.ParseMediaType(f.ContentType); err != nil {
		f.ContentType = "application/octet-stream"
	}
	if blockedTypes[strings.ToLower(f.ContentType)] ||
		blockedExtensions[strings.TrimPrefix(path.Ext(strings.ToLower(f.Name)), ".")] {
		return rest.Refuse(http.StatusConflict, "E6101", "File type not allowed")
	}
	sum := md5.Sum(f.Content)
	f.MD5 = hex.EncodeToString(sum[:])
	return nil
}

// keepFile stores a file. It locks by itself.
func keepFile(st *store.Store, f *store.FileResource) *rest.Problem {
	st.Lock()
	defer st.Unlock()
	if f.UID == "" {
		f.UID = ids.New()
	}
	switch {
	case st.Files[f.UID] != nil:
		return rest.Refuse(http.StatusConflict, "E1119", "FileResource already exists: `%s`", f.UID)
	case st.FileBytes+len(f.Content) > maxAllFiles:
		return rest.Refuse(http.StatusConflict, "E1004", "The sandbox holds %d MB of files and takes no more: start it anew",
			maxAllFiles>>20)
	}
	st.PutFile(f)
	if err := st.Flush(); err != nil {
		return rest.Refuse(http.StatusInternalServerError, "", "%s", err.Error())
	}
	return nil
}

// fileObject is a file as the API shows it; with its owner right after it was uploaded.
func (c *call) fileObject(f *store.FileResource, fresh bool) object {
	by := c.UserObject(f.By)
	sharing := object{"users": object{}, "userGroups": object{}}
	if c.Version == 42 {
		sharing["external"] = false
	}
	if fresh {
		sharing["owner"], sharing["public"] = by["id"], "--------"
	}
	return object{"id": f.UID, "name": f.Name, "displayName": f.Name, "created": dates.Stamp(f.Created),
		"lastUpdated": dates.Stamp(f.Created), "createdBy": by,
		"lastUpdatedBy": by, "user": by, "translations": []any{}, "favorites": []any{}, "favorite": false,
		"attributeValues": []any{}, "sharing": sharing,
		"contentType": f.ContentType, "contentLength": len(f.Content), "contentMd5": f.MD5, "assigned": f.Assigned,
		"domain":                  f.Domain,
		"hasMultipleStorageFiles": c.Version >= 43 && f.Image(), "storageStatus": "PENDING"}
}
