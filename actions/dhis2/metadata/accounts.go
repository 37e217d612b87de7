package metadata

import "strings"

// accounts finds users, by their user names too.
type accounts struct {
	anySource[Account]
	exact, folded map[string][]int32
}

const usernameField = "username"

func newAccounts(users []Account) *accounts {
	a := &accounts{
		anySource: anySource[Account]{newFinder(Users, users, func(u *Account) *Named { return &u.Named })},
		exact:     map[string][]int32{}, folded: map[string][]int32{},
	}
	for i := range users {
		name := users[i].Username
		a.exact[name] = append(a.exact[name], int32(i))
		a.folded[strings.ToLower(name)] = append(a.folded[strings.ToLower(name)], int32(i))
	}
	return a
}

// byUsername gives those with a user name. Letters' case does not tell users of DHIS2 apart.
func (a *accounts) byUsername(field, name string) []int32 {
	if field != usernameField {
		return nil
	}
	if fit := a.exact[name]; len(fit) > 0 {
		return fit
	}
	return a.folded[strings.ToLower(name)]
}

func (a *accounts) usernames(field string) (names []string) {
	if field != usernameField {
		return nil
	}
	for i := range a.items {
		names = append(names, a.items[i].Username)
	}
	return names
}
