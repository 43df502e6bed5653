package state

import (
	"crypto/sha256"
	"crypto/subtle"
	"fmt"
	"time"

	pb "quorate/proto/quorate/v1"
)

// putToken keeps a join token until it is used. Expired ones are dropped.
func (d *draft) putToken(p *pb.PutToken) error {
	t := p.Token
	switch {
	case t.GetId() == "":
		return refuse(Invalid, "token id", "", "it is empty")
	case len(t.SecretSha256) != sha256.Size:
		return refuse(Invalid, "token secret", "", "its hash has %d bytes, want %d", len(t.SecretSha256), sha256.Size)
	case d.at == nil || !t.ExpiresAt.IsValid() || !d.at.AsTime().Before(t.ExpiresAt.AsTime()):
		return refuse(Invalid, "token lifetime", "give a positive duration", "the token would have expired already")
	case get(d.Tokens, t.Id, byID) != nil:
		return refuse(Exists, "token id", "", "%s exists already", t.Id)
	}
	kept := without(d.Tokens, func(t *pb.Token) bool { return d.expired(t) })
	d.Tokens = put(kept, t.Id, byID, t)
	d.record(&pb.Event{
		Kind: "token-created", Actor: d.actor, Severity: pb.Severity_SEVERITY_INFO,
		Text: fmt.Sprintf("a join token for a %s was made, good until %s", roleName(t.Role), t.ExpiresAt.AsTime().Format(time.RFC3339)),
	})
	return nil
}

// redeemToken uses a token up and makes its bearer a member. Whether the id or
// the secret was wrong is not told.
func (d *draft) redeemToken(r *pb.RedeemToken) error {
	t := get(d.Tokens, r.Id, byID)
	if t == nil || subtle.ConstantTimeCompare(t.SecretSha256, r.SecretSha256) != 1 {
		return refuse(NotFound, "token", "make a new one with `cluster token` on a member", "it is unknown, has expired or was used already")
	}
	if d.expired(t) {
		return refuse(Precondition, "token", "make a new one with `cluster token` on a member", "it has expired")
	}
	n := r.GetNode()
	if n == nil {
		return refuse(Invalid, "node", "", "the token's bearer does not say who it is")
	}
	d.Tokens = without(d.Tokens, func(other *pb.Token) bool { return other.Id == t.Id })
	if t.Role != pb.Role_ROLE_UNSPECIFIED {
		n.Role = t.Role
	}
	return d.addNode(n)
}

// expired judges by the proposer's clock; without it every token has expired.
func (d *draft) expired(t *pb.Token) bool {
	return d.at == nil || !d.at.AsTime().Before(t.ExpiresAt.AsTime())
}
