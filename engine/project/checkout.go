package project

import (
	"os"
	"path/filepath"
	"strings"
	"time"
)

// CheckingOut tells whether git is writing the files of the repository that a folder lies in: it
// holds the lock of its index for as long. A lock older than limit was left behind and tells
// nothing.
func CheckingOut(dir string, limit time.Duration) bool {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return false
	}
	if real, err := filepath.EvalSymlinks(abs); err == nil {
		abs = real
	}
	for {
		git := filepath.Join(abs, ".git")
		if info, err := os.Stat(git); err == nil {
			if !info.IsDir() {
				git = linkedGit(git)
			}
			lock, err := os.Stat(filepath.Join(git, "index.lock"))
			return err == nil && time.Since(lock.ModTime()) < limit
		}
		parent := filepath.Dir(abs)
		if parent == abs {
			return false
		}
		abs = parent
	}
}

// linkedGit follows the file that stands for .git in a worktree: "gitdir: PATH".
func linkedGit(file string) string {
	text, err := os.ReadFile(file)
	if err != nil {
		return file
	}
	path, _ := strings.CutPrefix(strings.TrimSpace(string(text)), "gitdir: ")
	if !filepath.IsAbs(path) {
		path = filepath.Join(filepath.Dir(file), path)
	}
	return path
}
