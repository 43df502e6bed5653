package lab

import (
	"encoding/binary"
	"iter"
	"net/netip"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// The names that Quorate's guard gives its tables and what is in them; see
// package resources/vip/guard, which this does not import: it judges it.
const (
	guardName     = "quorate"
	guardManaged  = "managed" // sets: addresses that are silent unless leased
	guardLeased   = "leased"  // sets: those that may speak, with timeouts
	guardDeadline = "deadline"
)

// A guardTable is one of the guard's tables as the kernel told of it. Its zero
// value manages nothing.
type guardTable struct {
	managed  map[netip.Addr]bool
	leased   map[netip.Addr]time.Duration // until when, on the monotonic clock
	deadline time.Duration                // of all that is leased; 0: none
}

func (t *guardTable) admits(a netip.Addr) time.Duration {
	switch {
	case !t.managed[a]:
		return forever
	case t.deadline != 0:
		return min(t.leased[a], t.deadline)
	}
	return t.leased[a]
}

// note takes one message of nftables, and calls touched with every address whose
// admission may have changed.
func (t *guardTable) note(kind uint16, body []byte, touched func(netip.Addr)) {
	switch kind {
	case unix.NFT_MSG_DELTABLE:
		if text(find(body, unix.NFTA_TABLE_NAME)) == guardName {
			t.touchAll(touched)
			*t = guardTable{}
		}
	case unix.NFT_MSG_NEWRULE:
		if text(find(body, unix.NFTA_RULE_TABLE)) == guardName && text(find(body, unix.NFTA_RULE_CHAIN)) == guardDeadline {
			t.deadline = deadlineOf(find(body, unix.NFTA_RULE_EXPRESSIONS))
			t.touchAll(touched)
		}
	case unix.NFT_MSG_NEWSETELEM, unix.NFT_MSG_DELSETELEM:
		if text(find(body, unix.NFTA_SET_ELEM_LIST_TABLE)) == guardName {
			set := text(find(body, unix.NFTA_SET_ELEM_LIST_SET))
			for kind2, element := range attributes(find(body, unix.NFTA_SET_ELEM_LIST_ELEMENTS)) {
				if kind2 == unix.NFTA_LIST_ELEM {
					t.noteElement(set, kind == unix.NFT_MSG_NEWSETELEM, element, touched)
				}
			}
		}
	}
}

func (t *guardTable) noteElement(set string, added bool, element []byte, touched func(netip.Addr)) {
	a, ok := netip.AddrFromSlice(find(find(element, unix.NFTA_SET_ELEM_KEY), unix.NFTA_DATA_VALUE))
	if !ok {
		return
	}
	if t.managed == nil {
		t.managed, t.leased = map[netip.Addr]bool{}, map[netip.Addr]time.Duration{}
	}
	switch {
	case strings.HasPrefix(set, guardManaged) && added:
		t.managed[a] = true
	case strings.HasPrefix(set, guardManaged):
		delete(t.managed, a)
	case strings.HasPrefix(set, guardLeased) && added:
		t.leased[a] = forever
		if timeout := find(element, unix.NFTA_SET_ELEM_TIMEOUT); len(timeout) == 8 {
			t.leased[a] = now() + time.Duration(binary.BigEndian.Uint64(timeout))*time.Millisecond
		}
	case strings.HasPrefix(set, guardLeased):
		delete(t.leased, a)
	}
	touched(a)
}

func (t *guardTable) touchAll(touched func(netip.Addr)) {
	for a := range t.managed {
		touched(a)
	}
}

// deadlineOf finds the end of the range outside of which a rule drops, which is
// on the wall clock, in nanoseconds and the network's byte order.
func deadlineOf(expressions []byte) time.Duration {
	for _, e := range attributes(expressions) {
		if text(find(e, unix.NFTA_EXPR_NAME)) != "range" {
			continue
		}
		last := find(find(find(e, unix.NFTA_EXPR_DATA), unix.NFTA_RANGE_TO_DATA), unix.NFTA_DATA_VALUE)
		if len(last) == 8 {
			return monotonic(unix.NsecToTimespec(int64(binary.BigEndian.Uint64(last)) + 1))
		}
	}
	return 0
}

// attributes are the parts of a netlink message, by their kind (netlink(7)).
func attributes(data []byte) iter.Seq2[uint16, []byte] {
	return func(yield func(uint16, []byte) bool) {
		for len(data) >= unix.SizeofNlAttr {
			size := int(binary.NativeEndian.Uint16(data))
			kind := binary.NativeEndian.Uint16(data[2:]) &^ (unix.NLA_F_NESTED | unix.NLA_F_NET_BYTEORDER)
			if size < unix.SizeofNlAttr || size > len(data) || !yield(kind, data[unix.SizeofNlAttr:size]) {
				return
			}
			data = data[min(len(data), (size+3)&^3):]
		}
	}
}

// find returns the first part of a kind; nil if there is none.
func find(data []byte, kind uint16) []byte {
	for k, part := range attributes(data) {
		if k == kind {
			return part
		}
	}
	return nil
}

func text(data []byte) string { return strings.TrimRight(string(data), "\x00") }
