package console

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/culvert/culvert/sources"
)

// Photos and other files that came with a form are kept in its content, as text that no person reads.
// Where people see or correct a content, a mark stands in their place.

// asItCame begins the mark.
const asItCame = "(as it came: "

// shortFile is how long the text of a file may be to be shown, in bytes.
const shortFile = 200

// withoutFiles gives a content with a mark in the place of each file that came with it.
func withoutFiles(body []byte) []byte {
	content, files := filesIn(body)
	if len(files) == 0 {
		return body
	}
	for _, file := range files {
		if text, ok := file["base64"].(string); ok && len(text) > shortFile {
			file["base64"] = fmt.Sprintf("%s%d kB)", asItCame, (len(text)*3/4+1023)/1024)
		}
	}
	out, err := json.Marshal(content)
	if err != nil {
		return body
	}
	return out
}

// withFiles puts back the files of a content that was corrected. The error names one that did not come.
func withFiles(corrected, original []byte) ([]byte, error) {
	content, files := filesIn(corrected)
	_, came := filesIn(original)
	marked := false
	for name, file := range files {
		text, ok := file["base64"].(string)
		if !ok || !strings.HasPrefix(text, asItCame) {
			continue
		}
		was, ok := came[name]
		if !ok {
			return nil, fmt.Errorf("no file %q came with this record: leave its attachments as they are, or remove the whole entry",
				name)
		}
		file["base64"], marked = was["base64"], true
	}
	if !marked {
		return corrected, nil
	}
	return json.Marshal(content)
}

// filesIn reads a content, with the files that came with it by their names.
func filesIn(body []byte) (content map[string]any, files map[string]map[string]any) {
	if !bytes.Contains(body, []byte(`"`+sources.AttachmentsKey+`"`)) {
		return nil, nil
	}
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber() // what is no file stays as it was written
	if d.Decode(&content) != nil {
		return nil, nil
	}
	entries, _ := content[sources.AttachmentsKey].(map[string]any)
	files = map[string]map[string]any{}
	for name, entry := range entries {
		if file, ok := entry.(map[string]any); ok {
			files[name] = file
		}
	}
	return content, files
}
