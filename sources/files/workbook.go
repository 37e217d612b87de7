package files

import "archive/zip"

func (r *Reader) openWorkbook(place string, z *zip.Reader, f Format) (rowSource, error) {
	return nil, &FileError{Place: place, Message: "workbooks cannot be read", Mend: "save it as CSV"}
}
