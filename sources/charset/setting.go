package charset

import (
	"fmt"

	"github.com/culvert/culvert/rules/settings"
)

// Setting gives the name of an encoding that stands behind a key; "" when it is absent or no name of
// one, which is reported.
func Setting(r settings.Reader, key string) string {
	text := r.Text(key)
	if text == "" {
		return ""
	}
	if _, ok := Find(text); !ok {
		r.Wrong(r.Config.Get(key), "encoding", fmt.Sprintf("no encoding is named %q", text), "use "+Examples)
		return ""
	}
	return text
}
