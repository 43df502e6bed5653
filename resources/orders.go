package resources

import (
	pb "quorate/proto/quorate/v1"
)

// A ServerName is what an order is for: a server, as one service has it.
type ServerName struct{ Service, Server string }

// Orders are orders for the servers of one resource, at most one each.
type Orders map[ServerName]*pb.ServerOrder

// Put adds orders, each in place of the one for the same server. One that says
// nothing ends that.
func (o Orders) Put(list []*pb.ServerOrder) {
	for _, order := range list {
		name := ServerName{order.GetService(), order.GetServer()}
		if order.GetMode() == pb.ServerMode_SERVER_MODE_UNSPECIFIED && order.Weight == nil {
			delete(o, name)
			continue
		}
		o[name] = order
	}
}

// CountServers sums up the servers of a service.
func CountServers(servers []*pb.BalancedServer) *pb.ServerCounts {
	c := &pb.ServerCounts{Servers: uint32(len(servers))}
	for _, s := range servers {
		c.Active += s.Active
		c.Inactive += s.Inactive
		switch s.State {
		case pb.ServerState_SERVER_STATE_UP:
			c.Up++
		case pb.ServerState_SERVER_STATE_DOWN:
			c.Down++
		case pb.ServerState_SERVER_STATE_DRAINED:
			c.Drained++
		case pb.ServerState_SERVER_STATE_DISABLED:
			c.Disabled++
		case pb.ServerState_SERVER_STATE_BACKUP:
			c.Backup++
		case pb.ServerState_SERVER_STATE_UNSPECIFIED:
		}
	}
	return c
}
