package access

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"golang.org/x/crypto/bcrypt"

	"github.com/culvert/culvert/internal/disk"
)

// userFile is how users are kept in a file of the project's state.
type userFile struct {
	Version int        `json:"version"`
	Users   []keptUser `json:"users"`
}

type keptUser struct {
	Name string `json:"name"`
	Role string `json:"role"`
	Hash string `json:"hash"` // bcrypt
}

const (
	fileVersion  = 1
	largestFile  = 1 << 20
	longestName  = 64
	shortestPass = 10
)

var userName = regexp.MustCompile(`^[\p{L}\p{N}._@+-]{1,64}$`)

// Read gives the users of a file; there are none when there is no file.
func Read(path string) ([]User, error) {
	kept, err := readFile(path)
	if err != nil {
		return nil, err
	}
	users := make([]User, 0, len(kept.Users))
	for _, k := range kept.Users {
		role, err := ParseRole(k.Role)
		if err != nil {
			return nil, fmt.Errorf("%s: user %q: %w", path, k.Name, err)
		}
		users = append(users, User{Name: k.Name, Role: role, Hash: []byte(k.Hash)})
	}
	return users, nil
}

func readFile(path string) (userFile, error) {
	out := userFile{Version: fileVersion}
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return out, nil
	}
	if err != nil {
		return out, fmt.Errorf("read the users of the console: %w", err)
	}
	if info.Size() > largestFile {
		return out, fmt.Errorf("%s is larger than any list of users: make them anew with `culvert user add`", path)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return out, fmt.Errorf("read the users of the console: %w", err)
	}
	if err := json.Unmarshal(text, &out); err != nil || out.Version != fileVersion {
		return out, fmt.Errorf("%s is no list of users that this version of Culvert can read: move it away and make them "+
			"anew with `culvert user add`", path)
	}
	return out, nil
}

// Set adds a user to a file, or gives one another role and password. An empty password has one made
// up. It gives the password.
func Set(path, name string, role Role, password string) (string, error) {
	if !userName.MatchString(name) {
		return "", fmt.Errorf("%q is no name of a user: use up to %d letters, digits and . _ @ + -", name, longestName)
	}
	if password == "" {
		password = strings.ToLower(rand.Text())
	}
	if len(password) < shortestPass || len(password) > 72 { // bcrypt looks at no more
		return "", fmt.Errorf("a password has %d to 72 letters", shortestPass)
	}
	hash, err := bcrypt.GenerateFromPassword([]byte(password), bcrypt.DefaultCost)
	if err != nil {
		return "", fmt.Errorf("hash the password: %w", err)
	}
	err = change(path, func(kept *userFile) bool {
		kept.Users = slices.DeleteFunc(kept.Users, func(k keptUser) bool { return k.Name == name })
		kept.Users = append(kept.Users, keptUser{Name: name, Role: role.String(), Hash: string(hash)})
		return true
	})
	return password, err
}

// change changes the users of a file, one change after the other, whichever process makes it. do
// tells whether it changed something.
func change(path string, do func(*userFile) bool) (err error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return fmt.Errorf("keep the users of the console: %w", err)
	}
	// A file beside the list, for the list itself is replaced. It stays: who waits for its lock has it open.
	lock, err := os.OpenFile(path+".lock", os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return fmt.Errorf("keep the users of the console: %w", err)
	}
	defer func() { err = errors.Join(err, lock.Close()) }()
	if err := disk.Lock(lock); err != nil {
		return fmt.Errorf("wait for another change of the console's users: %w", err)
	}
	kept, err := readFile(path)
	if err != nil {
		return err
	}
	if !do(&kept) {
		return nil
	}
	return writeFile(path, kept)
}

// Remove takes a user out of a file. It tells whether there was one.
func Remove(path, name string) (bool, error) {
	there := false
	err := change(path, func(kept *userFile) bool {
		before := len(kept.Users)
		kept.Users = slices.DeleteFunc(kept.Users, func(k keptUser) bool { return k.Name == name })
		there = len(kept.Users) < before
		return there
	})
	return there && err == nil, err
}

// writeFile puts a whole new file in the place of the old one, readable by its owner alone.
func writeFile(path string, kept userFile) error {
	text, err := json.MarshalIndent(kept, "", "  ")
	if err != nil {
		return fmt.Errorf("keep the users of the console: %w", err)
	}
	f, err := os.CreateTemp(filepath.Dir(path), "users-*.tmp") // 0600
	if err != nil {
		return fmt.Errorf("keep the users of the console: %w", err)
	}
	_, err = f.Write(append(text, '\n'))
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return fmt.Errorf("keep the users of the console: %w", errors.Join(err, os.Remove(f.Name())))
	}
	return nil
}
