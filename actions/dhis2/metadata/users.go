package metadata

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"github.com/culvert/culvert/actions/dhis2/client"
)

// userFields is what is read of people: what an event is assigned by. userCredentials is where 2.38 has the user name.
const userFields = "id,name,username,userCredentials[username]"

const userPage = 1000

// readUsers reads the users, where rules ask for them. A server that does not let Culvert's user see
// them costs the rules that ask, not the sync.
func (r *reading) readUsers(ctx context.Context) error {
	if !r.options.Users {
		return nil
	}
	err := r.patiently(ctx, Users, func() error {
		clear := func() { r.fresh.Users = nil }
		return r.pages(ctx, Users, userFields, nil, userPage, clear, func(o json.RawMessage) error {
			var u struct {
				Account
				Credentials struct {
					Username string `json:"username"`
				} `json:"userCredentials"`
			}
			if err := json.Unmarshal(o, &u); err != nil {
				return plainJSON(err)
			}
			if u.Username == "" {
				u.Username = u.Credentials.Username
			}
			if u.Name == "" {
				u.Name = u.Username
			}
			if u.ID != "" && u.Username != "" {
				r.fresh.Users = append(r.fresh.Users, u.Account)
			}
			return nil
		})
	})
	refused, ok := errors.AsType[*client.Error](err)
	switch {
	case ok && (refused.Status == http.StatusForbidden || refused.Status == http.StatusConflict):
		r.fresh.Users = nil
		r.warn("the users cannot be read, which rules look up: give Culvert's user the authority F_USER_VIEW")
		return nil
	case err != nil:
		return fmt.Errorf("reading %s: %w", Users, err)
	}
	r.fresh.Server.Holds = append(r.fresh.Server.Holds, HoldsUsers)
	return nil
}
