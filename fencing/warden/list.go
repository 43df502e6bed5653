package warden

import (
	"bytes"
	"encoding/binary"
	"time"
)

// A record is one trace of one entry, as it is in the table. Names and marks of one
// that was decoded lie in the buffer that it was decoded from.
type record struct {
	stamp    int64         // of its entry: no two entries ever have the same
	patience time.Duration // what a living agent has after the lease, to say that it stops it
	grace    time.Duration // clock until which it stops it; 0: it has not said so
	watchdog time.Duration // see Entry
	kind     Kind
	stuck    bool   // its stop failed: the watchdog is not fed for it
	name     []byte // of the resource
	mark     []byte

	done bool // the warden's own: what it leads to has ended
}

// stuckBit is set in the kind of a record that is stuck.
const stuckBit = 0x80

// recordHead is the length of a record without its texts.
const recordHead = 4*8 + 1 + 2 + 2

// appendTo encodes a record.
func (r *record) appendTo(b []byte) []byte {
	for _, v := range []int64{r.stamp, int64(r.patience), int64(r.grace), int64(r.watchdog)} {
		b = binary.NativeEndian.AppendUint64(b, uint64(v))
	}
	kind := byte(r.kind)
	if r.stuck {
		kind |= stuckBit
	}
	b = append(b, kind)
	b = binary.NativeEndian.AppendUint16(b, uint16(len(r.name)))
	b = binary.NativeEndian.AppendUint16(b, uint16(len(r.mark)))
	return append(append(b, r.name...), r.mark...)
}

// decode reads the records of a list into an array, as many as there is room for.
func decode(list []byte, into []record) []record {
	n := 0
	for ; n < len(into) && len(list) >= recordHead; n++ {
		word := func(i int) int64 { return int64(binary.NativeEndian.Uint64(list[8*i:])) }
		r := record{
			stamp: word(0), patience: time.Duration(word(1)), grace: time.Duration(word(2)), watchdog: time.Duration(word(3)), kind: Kind(list[32] &^ stuckBit), stuck: list[32]&stuckBit != 0,
		}
		name, mark := int(binary.NativeEndian.Uint16(list[33:])), int(binary.NativeEndian.Uint16(list[35:]))
		list = list[recordHead:]
		if len(list) < name+mark {
			break
		}
		r.name, r.mark = list[:name:name], list[name:name+mark:name+mark]
		list = list[name+mark:]
		into[n] = r
	}
	return into[:n]
}

// maxRecords is more than a slot has room for, were all marks empty.
const maxRecords = slotSize / recordHead

// same reports whether two records are of one trace of one entry.
func (r *record) same(other *record) bool {
	return r.stamp == other.stamp && r.kind == other.kind && bytes.Equal(r.mark, other.mark)
}

// due is when what a record leads to is killed, by the end of the lease and whether
// the agent can still stop it itself.
func (r *record) due(deadline time.Duration, able bool) time.Duration {
	if able {
		deadline = max(deadline+r.patience, r.grace)
	}
	if r.kind == Address {
		deadline += addressDelay
	}
	return deadline
}
