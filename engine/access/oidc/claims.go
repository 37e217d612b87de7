package oidc

import (
	"context"
	"strings"
	"unicode"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"github.com/culvert/culvert/engine/access"
)

// emailClaim is taken for somebody's only where the provider has verified it.
const emailClaim = "email"

const (
	valuesKept   = 1000 // of a claim: Keycloak sends all groups, Entra up to 200
	longestValue = 512  // bytes
	longestName  = 64   // characters
)

// identity makes an identity of what the provider says of somebody: in the ID token, and of its
// userinfo endpoint where the claim is not in the token.
func (p *provider) identity(ctx context.Context, set *Settings, tokens *oauth2.Token,
	token *oidc.IDToken) (*access.Identity, error) {
	var claims map[string]any
	if err := token.Claims(&claims); err != nil {
		return nil, &Error{Say: "What " + set.Name + " answered cannot be understood",
			Cause: causef("the ID token is no object")}
	}
	id := &access.Identity{Issuer: set.Issuer, Client: set.ClientID, Subject: token.Subject,
		Name: nameOf(claims, token.Subject), Claim: set.Claim}
	from := claims
	values, found := valuesOf(claims, set.Claim)
	if !found && p.oidc.UserInfoEndpoint() != "" {
		said, err := p.oidc.UserInfo(ctx, oauth2.StaticTokenSource(tokens))
		if err != nil {
			return nil, away(set, causef("its userinfo endpoint gave no answer that can be used"))
		}
		if said.Subject != token.Subject {
			return nil, &Error{Say: "What " + set.Name + " answered is not meant for this log-in. Log in again",
				Cause: causef("its userinfo endpoint speaks of somebody else")}
		}
		if from = nil; said.Claims(&from) == nil {
			values, _ = valuesOf(from, set.Claim)
		}
	}
	if len(values) == 0 && tooManyGroups(claims, set.Claim) {
		return nil, &Error{Say: "You are in so many groups that " + set.Name +
			" does not list them. Give roles by application roles instead: claim: roles in console_oidc"}
	}
	if set.Claim == emailClaim && len(values) > 0 && !isTrue(from["email_verified"]) {
		return nil, &Error{Say: set.Name +
			" has not made sure that your e-mail address is yours, and roles are given by it here"}
	}
	id.Values = values
	return id, nil
}

// nameOf is what somebody is called in log and audit trail: by a name that only one person has at a time.
func nameOf(claims map[string]any, subject string) string {
	names := []string{"preferred_username"}
	if isTrue(claims["email_verified"]) {
		names = append(names, "email")
	}
	for _, claim := range names {
		if text, ok := claims[claim].(string); ok && plainName(text) != "" {
			return plainName(text)
		}
	}
	return plainName(subject)
}

// plainName gives a name without what would make a terminal or a line of text obey, and not too long.
func plainName(text string) string {
	var b strings.Builder
	n := 0
	for _, r := range strings.ToValidUTF8(text, "") {
		if n++; n > longestName {
			break
		}
		if unicode.IsGraphic(r) {
			b.WriteRune(r)
		}
	}
	return strings.TrimSpace(b.String())
}

// valuesOf gives the texts of a claim: of a text or a list of texts at its name, or at the path that
// the name is: realm_access.roles. A key may have dots itself, as addresses do.
func valuesOf(claims map[string]any, path string) (values []string, found bool) {
	if v, ok := claims[path]; ok {
		return textsOf(v), true
	}
	for i, r := range path {
		if r != '.' {
			continue
		}
		if inner, ok := claims[path[:i]].(map[string]any); ok {
			if values, found = valuesOf(inner, path[i+1:]); found {
				return values, true
			}
		}
	}
	return nil, false
}

func textsOf(v any) (texts []string) {
	list, ok := v.([]any)
	if !ok {
		list = []any{v}
	}
	for _, item := range list {
		if text, ok := item.(string); ok && text != "" && len(text) <= longestValue && len(texts) < valuesKept {
			texts = append(texts, text)
		}
	}
	return texts
}

// tooManyGroups tells whether a provider left a claim out because it would be too long, as Microsoft
// Entra does, and says where else to ask (OpenID Connect Core 1.0, section 5.6.2).
func tooManyGroups(claims map[string]any, claim string) bool {
	elsewhere, _ := claims["_claim_names"].(map[string]any)
	return elsewhere[claim] != nil || claim == "groups" && isTrue(claims["hasgroups"])
}

// isTrue reads a truth that some providers write as text.
func isTrue(v any) bool {
	switch x := v.(type) {
	case bool:
		return x
	case string:
		return strings.EqualFold(x, "true")
	}
	return false
}
