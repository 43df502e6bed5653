package resources

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"google.golang.org/protobuf/encoding/protojson"

	pb "quorate/proto/quorate/v1"
)

// An OrderBook has the orders for the servers of one resource, while that runs on
// this node. The temporary ones are in a file too, for the agent that comes after
// this one. It is not safe for concurrent use; a copy of it stays as it is.
type OrderBook struct {
	path      string
	temporary Orders
	kept      []*pb.ServerOrder
	inForce   Orders
}

// OpenOrderBook reads what an earlier agent was told. The path lives as long as the
// boot.
func OpenOrderBook(path string) (*OrderBook, error) {
	b := &OrderBook{path: path, temporary: Orders{}}
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return b, nil
	}
	if err != nil {
		return nil, err
	}
	var list pb.ServerOrders
	if err := (protojson.UnmarshalOptions{DiscardUnknown: true}).Unmarshal(data, &list); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	b.temporary.Put(list.Orders)
	b.settle()
	return b, nil
}

// InForce returns the orders that count. It may be asked of no book, and what it
// returns never changes.
func (b *OrderBook) InForce() Orders {
	if b == nil {
		return nil
	}
	return b.inForce
}

// Copy returns the book as it is now; of none an empty one.
func (b *OrderBook) Copy() OrderBook {
	if b == nil {
		return OrderBook{}
	}
	return *b
}

// Keep replaces the kept orders, and reports whether that is news.
func (b *OrderBook) Keep(kept []*pb.ServerOrder) bool {
	news := !slices.EqualFunc(b.kept, kept, sameOrder)
	b.kept = kept
	b.settle()
	return news
}

// Take puts temporary orders in force, and into the file.
func (b *OrderBook) Take(list []*pb.ServerOrder) error {
	next := maps.Clone(b.temporary)
	next.Put(list)
	if err := next.write(b.path); err != nil {
		return err
	}
	b.temporary = next
	b.settle()
	return nil
}

// DropOrders forgets the temporary orders of a book: what they were for has
// stopped, and it does so also when nobody can read them any more.
func DropOrders(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

func (b *OrderBook) settle() {
	b.inForce = make(Orders, len(b.temporary)+len(b.kept))
	b.inForce.Put(b.kept)
	maps.Copy(b.inForce, b.temporary)
}

// Show puts the order for a server into what is told of it, unless it leaves
// everything to the checks, and whether it is kept.
func (b *OrderBook) Show(s *pb.BalancedServer, service string) {
	order := b.InForce()[ServerName{service, s.Name}]
	if order == nil || order.Mode <= pb.ServerMode_SERVER_MODE_READY && order.Weight == nil {
		return
	}
	s.Order = order
	s.Kept = slices.ContainsFunc(b.kept, func(k *pb.ServerOrder) bool { return sameOrder(k, order) })
}

func sameOrder(a, b *pb.ServerOrder) bool {
	return a.Service == b.Service && a.Server == b.Server && a.Mode == b.Mode &&
		(a.Weight == nil) == (b.Weight == nil) && a.GetWeight() == b.GetWeight()
}

// write makes the file; without orders there is none.
func (o Orders) write(path string) error {
	if len(o) == 0 {
		return DropOrders(path)
	}
	list := &pb.ServerOrders{Orders: slices.SortedFunc(maps.Values(o), func(a, b *pb.ServerOrder) int {
		return cmp.Or(cmp.Compare(a.Service, b.Service), cmp.Compare(a.Server, b.Server))
	})}
	data, err := protojson.Marshal(list)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	if err := os.WriteFile(path+".new", append(data, '\n'), 0o600); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}
