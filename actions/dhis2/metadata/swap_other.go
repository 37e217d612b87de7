//go:build !linux

package metadata

import "errors"

// exchange is not to be had; swap takes two renames, which Read finishes when they are interrupted.
func exchange(_, _ string) error { return errors.ErrUnsupported }
