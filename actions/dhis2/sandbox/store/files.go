package store

import (
	"strings"
	"time"

	"github.com/culvert/culvert/actions/dhis2/sandbox/catalog"
)

// FileResource is an uploaded file, which values of the types FILE_RESOURCE and IMAGE name by its uid.
type FileResource struct {
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
var imageFormats = catalog.SetOf(strings.Fields(
	"jpg JPG jpeg JPEG png PNG gif GIF bmp BMP wbmp WBMP tif TIF tiff TIFF"))

func (f *FileResource) Image() bool {
	_, format, _ := strings.Cut(f.ContentType, "/")
	format, _, _ = strings.Cut(format, ";")
	return imageFormats[format]
}

func (st *Store) PutFile(f *FileResource) {
	if old := st.Files[f.UID]; old != nil {
		st.FileBytes -= len(old.Content)
	}
	st.Files[f.UID] = f
	st.FileBytes += len(f.Content)
	st.Keep(f)
}

// Assign gives a file to the tracked entity or the event that names it in a value.
func (st *Store) Assign(uid, owner string) {
	if f := st.Files[uid]; f != nil {
		f.Assigned, f.Owner = true, owner
		st.Keep(f)
	}
}
