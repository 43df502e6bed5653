package warden

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"os"
	"sync/atomic"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// A table is the memory that an agent and its warden share: a file on a tmpfs,
// mapped by both. It outlives each of them, not the machine's boot.
//
// Its words are written by one side each, whole. The list is written into one of
// two slots in turn, with a number and a checksum: so the last whole one is there at
// any time, whatever becomes of the writer.
//
//	0                 words of the agent
//	4096              words of the warden, and its texts
//	8192, 8192+slot   the slots: number, length, checksum, entries
type table struct{ memory []byte }

const (
	tableMark = 0x31_6e_65_64_72_61_77_51 // "Qwarden1": the last digit is the version of the layout
	page      = 4096
	slotSize  = 256 << 10
	tableSize = 2*page + 2*slotSize
	slotHead  = 24
)

// A word is the place of a number in the table.
type word int

const (
	wordMark     word = 8 * iota
	wordBoot          // of the kernel: a table of another one is void
	wordDeadline      // end of the lease on the clock of leases; written at each renewal
	wordAgent         // process id of the agent
	wordBirth         // its start, as /proc has it
	wordPlanned       // the agent ends by itself and is to come back: 1
	wordTold          // the number of the execution that an agent has told of

	wordWarden  word = page + 8*iota // process id of the warden
	wordBorn                         // its start
	wordBeat                         // clock of its last round
	wordLocked                       // its memory is: 1
	wordRanked                       // it runs in real time: 1
	wordWorking                      // it is killing: 1
	wordPasses                       // how often it killed something
	wordKilled                       // how many processes the last time
	wordAt                           // when that began, on the clock of leases
	wordTook                         // how long it took
	wordSeen                         // the list that the watchdog is armed, or not, for
	wordDog                          // what became of it, see dogState
	wordTimeout                      // of the watchdog, in nanoseconds
	wordFed                          // clock of when it was fed last within the lease; 0: not since it was armed
)

// Texts of the warden's page.
const (
	textDog    word = page + 1024 // identity of the watchdog, or why there is none
	textDevice word = page + 2048 // path of the watchdog
	textKilled word = page + 1536 // the resources that were killed the last time
	textSize        = 512
)

// A dogState is what became of the watchdog.
type dogState int64

const (
	dogOff    dogState = iota // not needed
	dogArmed                  // armed, and fed
	dogFailed                 // needed, and not to be had
	dogStarve                 // armed, and not fed any more
)

// openTable maps the table, and makes it anew if it is none of this boot.
func openTable(path string) (*table, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open the warden's table: %w", err)
	}
	defer f.Close()
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX); err != nil {
		return nil, fmt.Errorf("lock %s: %w", path, err)
	}
	defer unix.Flock(int(f.Fd()), unix.LOCK_UN) //nolint:errcheck // a mapping keeps the file, and so the lock
	if err := f.Truncate(tableSize); err != nil {
		return nil, fmt.Errorf("size %s: %w", path, err)
	}
	memory, err := unix.Mmap(int(f.Fd()), 0, tableSize, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return nil, fmt.Errorf("map %s: %w", path, err)
	}
	t := &table{memory}
	boot, err := bootNumber()
	if err != nil {
		return nil, errors.Join(err, t.close())
	}
	if t.get(wordMark) != tableMark || t.get(wordBoot) != boot {
		clear(memory)
		t.set(wordBoot, boot)
		t.set(wordMark, tableMark)
	}
	return t, nil
}

func (t *table) close() error { return unix.Munmap(t.memory) }

// bootNumber tells one boot of the kernel from another (random(4)).
func bootNumber() (int64, error) {
	id, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return 0, fmt.Errorf("read the boot id: %w", err)
	}
	return int64(crc32.ChecksumIEEE(bytes.TrimSpace(id))) + 1, nil
}

func (t *table) at(w word) *atomic.Int64 {
	return (*atomic.Int64)(unsafe.Pointer(&t.memory[w])) // aligned: the mapping is, and so are all words
}

func (t *table) get(w word) int64                { return t.at(w).Load() }
func (t *table) set(w word, v int64)             { t.at(w).Store(v) }
func (t *table) time(w word) time.Duration       { return time.Duration(t.get(w)) }
func (t *table) setTime(w word, v time.Duration) { t.set(w, int64(v)) }
func (t *table) flag(w word) bool                { return t.get(w) != 0 }

func (t *table) setFlag(w word, v bool) {
	if v {
		t.set(w, 1)
	} else {
		t.set(w, 0)
	}
}

// text reads a text, which its writer may be about to change: it is for people.
func (t *table) text(at word) string {
	text, _, _ := bytes.Cut(t.memory[at:][:textSize], []byte{0})
	return string(text)
}

func (t *table) say(at word, text []byte) {
	b := t.memory[at:][:textSize]
	n := copy(b[:textSize-1], text)
	clear(b[n:])
}

func (t *table) slot(i int64) []byte          { return t.memory[2*page+i*slotSize:][:slotSize] }
func (t *table) number(i int64) *atomic.Int64 { return t.at(word(2*page + i*slotSize)) }

// newest is the slot that was written last, and the number of its list.
func (t *table) newest() (slot, number int64) { return newer(t.number(0).Load(), t.number(1).Load()) }

func newer(first, second int64) (slot, number int64) {
	if second > first {
		return 1, second
	}
	return 0, first
}

// errFull is returned when a list is longer than a slot.
var errFull = fmt.Errorf("the warden's table is full: %d kB", slotSize>>10)

// write makes an encoded list the newest, under a number above all before.
func (t *table) write(list []byte, number int64) error {
	if len(list) > slotSize-slotHead {
		return errFull
	}
	newest, _ := t.newest()
	i := 1 - newest
	slot := t.slot(i)
	t.number(i).Store(0)
	binary.NativeEndian.PutUint32(slot[8:], uint32(len(list)))
	binary.NativeEndian.PutUint32(slot[12:], sum(list, number))
	copy(slot[slotHead:], list)
	t.number(i).Store(number)
	return nil
}

// read copies the newest whole list into a buffer of a slot's size.
func (t *table) read(into []byte) (list []byte, number int64) {
	newest, _ := t.newest()
	for _, i := range [...]int64{newest, 1 - newest} {
		number := t.number(i).Load()
		slot := t.slot(i)
		length := int(binary.NativeEndian.Uint32(slot[8:]))
		want := binary.NativeEndian.Uint32(slot[12:])
		if number == 0 || length > slotSize-slotHead {
			continue
		}
		list := into[:copy(into[:length], slot[slotHead:])]
		if sum(list, number) == want && t.number(i).Load() == number {
			return list, number
		}
	}
	return nil, 0
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func sum(list []byte, number int64) uint32 {
	return crc32.Update(uint32(number), castagnoli, list)
}
