package service

import (
	"cmp"
	"path/filepath"

	"github.com/culvert/culvert/engine/access"
	"github.com/culvert/culvert/engine/access/oidc"
)

// consoleOIDC gives the identity provider of the console as culvert.yaml says now; nil: there is none.
func (s *Service) consoleOIDC() (*oidc.Settings, error) {
	o := s.current.Load().Config.OIDC
	if o == nil {
		return nil, nil
	}
	set := &oidc.Settings{Name: cmp.Or(o.Name, oidc.NameOf("")), Scopes: o.Scopes, Claim: o.Claim,
		Secret: o.ClientSecret.Resolve,
		Roles:  map[access.Role][]string{}, CAFile: o.CAFile}
	for name, values := range o.Roles {
		if role, err := access.ParseRole(name); err == nil { // the schema lets no other through
			set.Roles[role] = values
		}
	}
	if set.CAFile != "" && !filepath.IsAbs(set.CAFile) {
		set.CAFile = filepath.Join(s.o.Dir, filepath.FromSlash(set.CAFile))
	}
	var err error
	if set.Issuer, err = o.Issuer.Resolve(); err != nil {
		return set, err
	}
	set.Name = cmp.Or(o.Name, oidc.NameOf(set.Issuer))
	if set.ClientID, err = o.ClientID.Resolve(); err != nil {
		return set, err
	}
	set.RedirectURL, err = o.RedirectURL.Resolve()
	return set, err
}
