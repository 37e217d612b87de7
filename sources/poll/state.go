package poll

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/culvert/culvert/sources"
)

// Restore reads what a pull kept under a cursor; false when there is nothing.
func Restore[S any](ctx context.Context, sink sources.Sink, cursor string) (kept S, ok bool, err error) {
	text, err := sink.Cursor(ctx, cursor)
	if err != nil {
		return kept, false, fmt.Errorf("read the saved cursor: %w", err)
	}
	if text == "" {
		return kept, false, nil
	}
	if err := json.Unmarshal([]byte(text), &kept); err != nil {
		return kept, false, errors.New("the saved cursor cannot be read")
	}
	return kept, true, nil
}
