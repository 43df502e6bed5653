package guard

import (
	"encoding/binary"
	"time"

	"github.com/google/nftables/expr"
)

// deadlineChain is the name of the chain that leased addresses have to pass, in
// both tables.
const deadlineChain = "deadline"

// metaTime is NFT_META_TIME_NS of linux/netfilter/nf_tables.h: the wall clock
// at this packet, in nanoseconds. Linux 5.4 and later.
const metaTime expr.MetaKey = 30

// A span is how long leased addresses may speak.
type span struct {
	from, until time.Duration // on the wall clock, since 1970; until is not in it
	timeout     time.Duration // the same for a clock of the kernel's own; whole milliseconds
}

// never ended as 1970 began.
var never = span{until: 1}

// dropOutside drops a packet before or after the span. The kernel loads the
// time in the machine's byte order and compares bytes, so they are swapped.
func (s span) dropOutside() []expr.Any {
	const size = 8
	return []expr.Any{
		&expr.Meta{Key: metaTime, Register: 1},
		&expr.Byteorder{SourceRegister: 1, DestRegister: 1, Op: expr.ByteorderHton, Len: size, Size: size},
		&expr.Range{Op: expr.CmpOpNeq, Register: 1, FromData: bigEndian(s.from), ToData: bigEndian(s.until - 1)},
		&expr.Verdict{Kind: expr.VerdictDrop},
	}
}

func bigEndian(d time.Duration) []byte {
	return binary.BigEndian.AppendUint64(nil, uint64(d))
}
