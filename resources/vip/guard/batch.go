package guard

import (
	"encoding/binary"
	"errors"
	"slices"
	"time"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"
)

// A batch is a list of changes of sets and rules, which the kernel makes in one
// commit or not at all. Its zero value is empty.
//
// It is written here because it is sent fifteen times a second for as long as
// a node owns an address, and in every failover. The library has every message
// answered, and each answer costs it two system calls and a goroutine: five
// times as long, in which a freeze would write a lease that is over (rule 24).
type batch struct {
	buffer []byte
	count  uint32 // of messages, the first of which begins the batch
	last   int    // where the newest change begins
	err    error  // why a rule could not be written
}

// mostKeys is how many elements one message names: the length of what frames
// them has 16 bits.
const mostKeys = 1000

// put adds elements to a set; a timeout of 0 is none.
func (b *batch) put(set *nftables.Set, keys [][]byte, timeout time.Duration) {
	for some := range slices.Chunk(keys, mostKeys) {
		b.elements(unix.NFT_MSG_NEWSETELEM, unix.NLM_F_CREATE, set, some, timeout)
	}
}

// take deletes elements. That one is not there is an error.
func (b *batch) take(set *nftables.Set, keys [][]byte) {
	for some := range slices.Chunk(keys, mostKeys) {
		b.elements(unix.NFT_MSG_DELSETELEM, 0, set, some, 0)
	}
}

// empty deletes all elements of a set.
func (b *batch) empty(set *nftables.Set) {
	b.elements(unix.NFT_MSG_DELSETELEM, 0, set, nil, 0)
}

// replace makes a rule the only one of a chain.
func (b *batch) replace(chain *nftables.Chain, rule []expr.Any) {
	of := func() {
		b.text(unix.NFTA_RULE_TABLE, chain.Table.Name)
		b.text(unix.NFTA_RULE_CHAIN, chain.Name)
	}
	b.change(unix.NFT_MSG_DELRULE, 0, chain.Table, of)
	b.change(unix.NFT_MSG_NEWRULE, unix.NLM_F_CREATE|unix.NLM_F_APPEND, chain.Table, func() {
		of()
		b.nested(unix.NFTA_RULE_EXPRESSIONS, func() {
			for _, e := range rule {
				data, err := expr.Marshal(byte(chain.Table.Family), e)
				b.err = errors.Join(b.err, err)
				b.attribute(unix.NFTA_LIST_ELEM|unix.NLA_F_NESTED, data)
			}
		})
	})
}

func (b *batch) elements(kind, flags uint16, set *nftables.Set, keys [][]byte, timeout time.Duration) {
	b.change(kind, flags, set.Table, func() {
		b.text(unix.NFTA_SET_ELEM_LIST_TABLE, set.Table.Name)
		b.text(unix.NFTA_SET_ELEM_LIST_SET, set.Name)
		if keys == nil {
			return
		}
		b.nested(unix.NFTA_SET_ELEM_LIST_ELEMENTS, func() {
			for _, key := range keys {
				b.nested(unix.NFTA_LIST_ELEM, func() { b.element(key, timeout) })
			}
		})
	})
}

func (b *batch) element(key []byte, timeout time.Duration) {
	b.nested(unix.NFTA_SET_ELEM_KEY, func() { b.attribute(unix.NFTA_DATA_VALUE, key) })
	if timeout > 0 {
		b.attribute(unix.NFTA_SET_ELEM_TIMEOUT, binary.BigEndian.AppendUint64(nil, uint64(timeout.Milliseconds())))
	}
}

// change appends a message about what is in a table.
func (b *batch) change(kind, flags uint16, table *nftables.Table, body func()) {
	if b.count == 0 {
		b.message(unix.NFNL_MSG_BATCH_BEGIN, 0, unix.AF_UNSPEC, unix.NFNL_SUBSYS_NFTABLES, func() {})
	}
	b.last = len(b.buffer)
	b.message(unix.NFNL_SUBSYS_NFTABLES<<8|kind, flags, byte(table.Family), 0, body)
}

// finish ends the batch and returns it as it is sent. The kernel answers its
// last change, and every one that it refuses.
func (b *batch) finish() []byte {
	flags := b.buffer[b.last+6:] // of struct nlmsghdr (netlink(7))
	binary.NativeEndian.PutUint16(flags, binary.NativeEndian.Uint16(flags)|unix.NLM_F_ACK)
	b.message(unix.NFNL_MSG_BATCH_END, 0, unix.AF_UNSPEC, unix.NFNL_SUBSYS_NFTABLES, func() {})
	return b.buffer
}

// message appends struct nlmsghdr, struct nfgenmsg and a body.
func (b *batch) message(kind, flags uint16, family byte, resource uint16, body func()) {
	at, order := len(b.buffer), binary.NativeEndian
	b.buffer = order.AppendUint32(b.buffer, 0) // the length, known below
	b.buffer = order.AppendUint16(b.buffer, kind)
	b.buffer = order.AppendUint16(b.buffer, unix.NLM_F_REQUEST|flags)
	b.buffer = order.AppendUint32(b.buffer, b.count)
	b.buffer = order.AppendUint32(b.buffer, 0) // to the kernel
	b.buffer = append(b.buffer, family, unix.NFNETLINK_V0)
	b.buffer = binary.BigEndian.AppendUint16(b.buffer, resource)
	body()
	order.PutUint32(b.buffer[at:], uint32(len(b.buffer)-at))
	b.count++
}

func (b *batch) text(kind uint16, s string) { b.attribute(kind, append([]byte(s), 0)) }

func (b *batch) attribute(kind uint16, data []byte) {
	b.framed(kind, func() { b.buffer = append(b.buffer, data...) })
}

func (b *batch) nested(kind uint16, body func()) { b.framed(kind|unix.NLA_F_NESTED, body) }

// framed appends struct nlattr, what it frames, and padding to four bytes.
func (b *batch) framed(kind uint16, body func()) {
	at := len(b.buffer)
	b.buffer = binary.NativeEndian.AppendUint16(b.buffer, 0)
	b.buffer = binary.NativeEndian.AppendUint16(b.buffer, kind)
	body()
	binary.NativeEndian.PutUint16(b.buffer[at:], uint16(len(b.buffer)-at))
	for len(b.buffer)%4 != 0 {
		b.buffer = append(b.buffer, 0)
	}
}
