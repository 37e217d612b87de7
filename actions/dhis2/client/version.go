package client

import (
	"context"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/culvert/culvert/rules/diag"
)

// The versions that the client knows the ways of.
const (
	OldestVersion = 38
	NewestVersion = 44
)

// versionAge is how long the server's version is believed; servers are upgraded while we run.
const versionAge = 15 * time.Minute

type version struct {
	full  string
	minor int
	asked time.Time
}

// Version is the server's version, asked for once in a while; major.minor as 42 for 2.42.
func (c *Client) Version(ctx context.Context) (full string, minor int, err error) {
	if known := c.knownVersion(); known.full != "" {
		return known.full, known.minor, nil
	}
	// One asks for all, who then also begin with the session that it was given.
	c.asking.Lock()
	defer c.asking.Unlock()
	if known := c.knownVersion(); known.full != "" {
		return known.full, known.minor, nil
	}
	var info struct {
		Version string `json:"version"`
	}
	if err := c.Get(ctx, "system/info", url.Values{}, &info); err != nil {
		return "", 0, err
	}
	minor, err = ParseVersion(info.Version)
	if err != nil {
		return "", 0, c.notDHIS2(200, "it does not say which version of DHIS2 it is", "")
	}
	c.mu.Lock()
	c.version = version{full: info.Version, minor: minor, asked: c.now()}
	c.mu.Unlock()
	return info.Version, minor, nil
}

// knownVersion is the version as long as it is believed, else empty.
func (c *Client) knownVersion() version {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.now().Sub(c.version.asked) >= versionAge {
		return version{}
	}
	return c.version
}

// upgradeAge is how fresh the known version must be for a refused request to be no reason to ask for it again.
const upgradeAge = 30 * time.Second

// upgraded asks for the version again after a refusal, and tells whether it is another than before:
// servers are upgraded while we run, and what one version wants the next one refuses.
func (c *Client) upgraded(ctx context.Context, minor int) bool {
	c.mu.Lock()
	if c.now().Sub(c.version.asked) < upgradeAge {
		c.mu.Unlock()
		return false
	}
	c.version = version{}
	c.mu.Unlock()
	_, now, err := c.Version(ctx)
	return err == nil && now != minor
}

// ParseVersion gives 42 for 2.42.4.1, 2.42-SNAPSHOT and 42.1.
func ParseVersion(full string) (int, error) {
	parts := strings.FieldsFunc(full, func(r rune) bool { return r == '.' || r == '-' })
	for i, part := range parts {
		n, err := strconv.Atoi(part)
		if err != nil {
			break
		}
		if i == 0 && n >= OldestVersion-10 {
			return n, nil
		}
		if i == 1 && parts[0] == "2" {
			return n, nil
		}
	}
	return 0, fmt.Errorf("%q is no version of DHIS2", full)
}

// writable is the minor version, or an error when the server is too old for what the client writes.
func (c *Client) writable(ctx context.Context) (int, error) {
	full, minor, err := c.Version(ctx)
	if err != nil {
		return 0, err
	}
	if minor < OldestVersion {
		return 0, &Error{Kind: NotDHIS2, Problem: diag.Problem{Message: fmt.Sprintf("%s is DHIS2 %s, older than 2.%d",
			c.name, full, OldestVersion),
			Hint: "upgrade the server: its tracker import cannot be used safely"}}
	}
	return minor, nil
}
