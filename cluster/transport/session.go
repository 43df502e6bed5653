package transport

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"sync/atomic"
	"time"
)

// A datagram on the wire:
//
//	sealed:      1, key id (8), counter (8), AES-256-GCM of (kind, payload), tag (16)
//	unknown key: 2, key id (8)
//
// The header is authenticated with the rest. The nonce is the counter added to a
// secret start, as in TLS 1.3; a counter is never used twice with one key.
const (
	sealed     = 1
	unknownKey = 2

	headerSize = 1 + keyIDSize + counterSize
	tagSize    = 16
	minSealed  = headerSize + 1 + tagSize
	maxPacket  = headerSize + 1 + copyHeader + MaxDatagram + tagSize

	copyHeader = counterSize + 1 // of a datagram that goes over several links: its number and kind

	keyIDSize   = 8
	counterSize = 8
	keySize     = 32
	nonceSize   = 12

	exporterLabel = "EXPORTER-quorate-datagrams"
)

// MaxDatagram is the largest payload of a datagram, in bytes. With all headers
// it fits an Ethernet frame over IPv6.
const MaxDatagram = 1400

var errTooLong = fmt.Errorf("datagram longer than %d bytes", MaxDatagram)

type keyID [keyIDSize]byte

// A session is what two nodes share to seal datagrams: two keys, one for each
// direction, derived at both ends from one TLS 1.3 connection (RFC 5705). That
// connection proved both ends; it stays open, because its end tells at once that
// the other process has gone.
type session struct {
	id     keyID
	link   *link
	near   netip.Addr // ours
	origin *origin
	dialed bool // by us
	conn   *tls.Conn
	ended  chan struct{} // closed when conn has ended
	born   time.Duration

	seal, open           cipher.AEAD
	sealStart, openStart [nonceSize]byte
	counter              atomic.Uint64          // of the newest datagram sent
	to                   atomic.Pointer[target] // nil until the other end's address is known
	proven               atomic.Bool            // a datagram of this session has arrived
	closedAt             atomic.Int64           // nanoseconds elapsed; 0: open

	window    window          // read loop only
	openNonce [nonceSize]byte // read loop only
}

// A nonce is drawn at random by each process.
type nonce [8]byte

// An origin is a process at the other end. Its sessions have one window in
// common: a datagram that it sends over several links is taken once.
type origin struct {
	nonce  nonce
	window window // read loop only
}

// newSession derives the session of a TLS connection whose ends are proven.
func newSession(c *tls.Conn, dialed bool) (*session, error) {
	cs := c.ConnectionState()
	secret, err := cs.ExportKeyingMaterial(exporterLabel, nil, keyIDSize+2*(keySize+nonceSize))
	if err != nil {
		return nil, fmt.Errorf("derive datagram keys: %w", err)
	}
	s := &session{conn: c, dialed: dialed, ended: make(chan struct{})}
	secret = secret[copy(s.id[:], secret):]
	toAcceptor, toDialer := secret[:keySize+nonceSize], secret[keySize+nonceSize:]
	if !dialed {
		toAcceptor, toDialer = toDialer, toAcceptor
	}
	if s.seal, err = aead(toAcceptor); err != nil {
		return nil, err
	}
	if s.open, err = aead(toDialer); err != nil {
		return nil, err
	}
	copy(s.sealStart[:], toAcceptor[keySize:])
	copy(s.openStart[:], toDialer[keySize:])
	return s, nil
}

func aead(secret []byte) (cipher.AEAD, error) {
	block, err := aes.NewCipher(secret[:keySize])
	if err != nil {
		return nil, fmt.Errorf("datagram key: %w", err)
	}
	return cipher.NewGCM(block)
}

// sealBuffer is where one datagram is sealed.
type sealBuffer struct {
	packet [maxPacket]byte
	nonce  [nonceSize]byte
}

// sealInto writes the next datagram of the session into b. The payload fits.
func (s *session) sealInto(b *sealBuffer, kind byte, payload []byte) []byte {
	b.packet[headerSize] = kind
	return s.finish(b, 1+copy(b.packet[headerSize+1:], payload))
}

// sealCopy is sealInto for a datagram that goes over other links, too.
func (s *session) sealCopy(b *sealBuffer, of uint64, kind byte, payload []byte) []byte {
	b.packet[headerSize] = kindCopy
	binary.BigEndian.PutUint64(b.packet[headerSize+1:], of)
	b.packet[headerSize+copyHeader] = kind
	return s.finish(b, 1+copyHeader+copy(b.packet[headerSize+1+copyHeader:], payload))
}

// finish seals the size bytes behind the header of b.
func (s *session) finish(b *sealBuffer, size int) []byte {
	counter := s.counter.Add(1)
	header := b.packet[:headerSize]
	header[0] = sealed
	copy(header[1:], s.id[:])
	binary.BigEndian.PutUint64(header[1+keyIDSize:], counter)
	number(&b.nonce, &s.sealStart, counter)
	return s.seal.Seal(header, b.nonce[:], b.packet[headerSize:headerSize+size], header)
}

var errReplayed = errors.New("datagram replayed or too old")

// openPacket checks a datagram of this session, in place. Only the read loop
// calls it. A refused one changes nothing.
func (s *session) openPacket(packet []byte) (kind byte, payload []byte, err error) {
	counter := binary.BigEndian.Uint64(packet[1+keyIDSize:])
	if !s.window.fresh(counter) {
		return 0, nil, errReplayed
	}
	number(&s.openNonce, &s.openStart, counter)
	header, body := packet[:headerSize], packet[headerSize:]
	plain, err := s.open.Open(body[:0], s.openNonce[:], body, header)
	if err != nil {
		return 0, nil, err
	}
	s.window.note(counter)
	return plain[0], plain[1:], nil
}

// number makes the nonce of the datagram with a counter.
func number(into, start *[nonceSize]byte, counter uint64) {
	*into = *start
	tail := into[nonceSize-counterSize:]
	binary.BigEndian.PutUint64(tail, binary.BigEndian.Uint64(tail)^counter)
}

// A window remembers which of the newest 64 counters were seen (RFC 4303, 3.4.3).
type window struct {
	newest uint64
	seen   uint64 // bit i: newest-i was seen
}

const windowSize = 64

// fresh tells whether counter is neither seen nor too old to tell.
func (w *window) fresh(counter uint64) bool {
	if counter > w.newest {
		return true
	}
	age := w.newest - counter
	return counter > 0 && age < windowSize && w.seen&(1<<age) == 0
}

// note marks a fresh counter as seen.
func (w *window) note(counter uint64) {
	if counter > w.newest {
		w.seen <<= counter - w.newest // shifts of 64 and more give 0
		w.newest = counter
	}
	w.seen |= 1 << (w.newest - counter)
}
