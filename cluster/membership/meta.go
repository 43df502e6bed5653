package membership

import (
	"fmt"

	"google.golang.org/protobuf/proto"

	pb "quorate/proto/quorate/v1"
)

// delegate tells memberlist what to say of this node. Nothing else is gossiped.
type delegate struct{ *Membership }

func (d delegate) NodeMeta(limit int) []byte {
	d.mu.Lock()
	self := d.self
	d.mu.Unlock()
	return encodeMeta(self, limit)
}

func (delegate) NotifyMsg([]byte)                {}
func (delegate) GetBroadcasts(_, _ int) [][]byte { return nil }
func (delegate) LocalState(bool) []byte          { return nil }
func (delegate) MergeRemoteState([]byte, bool)   {}

// encodeMeta leaves out the last addresses when all would be more than limit bytes.
func encodeMeta(m Member, limit int) []byte {
	for n := len(m.Addresses); n >= 0; n-- {
		data, err := proto.Marshal(&pb.Node{Name: m.Name, Version: m.Version, Addresses: m.Addresses[:n]})
		if err == nil && len(data) <= limit {
			return data
		}
	}
	return nil
}

func decodeMeta(data []byte) (Member, error) {
	var n pb.Node
	if err := proto.Unmarshal(data, &n); err != nil {
		return Member{}, fmt.Errorf("decode gossip: %w", err)
	}
	return Member{Name: n.Name, Version: n.Version, Addresses: n.Addresses}, nil
}
