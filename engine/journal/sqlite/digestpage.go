package sqlite

import (
	"encoding/binary"
	"math/bits"
)

// A page of digests holds entries in ascending order of hash: how far each is from the page's first
// hash, its sum, mark, version and seq. Versions and seqs are kept as what they are more than the
// least of the page. A head says how many bytes each takes. With ten million objects, which one
// after the other was written, an entry takes thirteen bytes.
//
// Pages of formats before the eighth hold offsets and sums only, behind a byte that says how wide
// offsets are: it is below orderedPage.
const (
	pageBytes   = 4040 // what fits into a page of the file of 4096 bytes, with its own bookkeeping
	sumBytes    = 4
	minOffset   = 4
	orderedPage = 0x80
	headBytes   = 4 + 16 // widths of offset, mark, version and seq, and the least version and seq
	perPage     = (pageBytes - headBytes) / (minOffset + sumBytes)
)

type digestPage struct {
	first   uint64
	entries []byte
}

// pageHead says how a page is laid out.
type pageHead struct {
	offset, mark, version, seq int // bytes of each
	leastVersion, leastSeq     int64
	size                       int // bytes of the head
}

func (h *pageHead) entry() int { return h.offset + sumBytes + h.mark + h.version + h.seq }

// pack lays ascending entries out in as few pages as hold them.
func pack(entries []digest) []digestPage {
	var pages []digestPage
	for len(entries) > 0 {
		n, h := fit(entries)
		first := entries[0].hash
		text := make([]byte, 0, headBytes+n*h.entry())
		text = append(text, orderedPage|byte(h.offset), byte(h.mark), byte(h.version), byte(h.seq))
		text = binary.BigEndian.AppendUint64(text, uint64(h.leastVersion))
		text = binary.BigEndian.AppendUint64(text, uint64(h.leastSeq))
		for _, e := range entries[:n] {
			text = appendNumber(text, e.hash-first, h.offset)
			text = binary.BigEndian.AppendUint32(text, e.sum)
			text = appendNumber(text, uint64(e.mark), h.mark)
			text = appendNumber(text, uint64(e.version-h.leastVersion), h.version)
			text = appendNumber(text, uint64(e.seq-h.leastSeq), h.seq)
		}
		pages = append(pages, digestPage{first, text})
		entries = entries[n:]
	}
	return pages
}

func appendNumber(text []byte, n uint64, width int) []byte {
	var all [8]byte
	binary.BigEndian.PutUint64(all[:], n)
	return append(text, all[8-width:]...)
}

// fit says how many entries the next page takes, and how it is laid out.
func fit(entries []digest) (n int, best pageHead) {
	first := entries[0]
	h := pageHead{leastVersion: first.version, leastSeq: first.seq}
	mostVersion, mostSeq, mark := first.version, first.seq, uint16(0)
	for i, e := range entries {
		h.leastVersion, mostVersion = min(h.leastVersion, e.version), max(mostVersion, e.version)
		h.leastSeq, mostSeq = min(h.leastSeq, e.seq), max(mostSeq, e.seq)
		mark |= e.mark
		h.offset = max(minOffset, width(e.hash-first.hash))
		h.mark, h.version, h.seq = width(uint64(mark)), width(uint64(mostVersion-h.leastVersion)),
			width(uint64(mostSeq-h.leastSeq))
		if headBytes+(i+1)*h.entry() > pageBytes {
			break
		}
		n, best = i+1, h
	}
	return n, best
}

// width is how many bytes a number takes.
func width(n uint64) int { return (bits.Len64(n) + 7) / 8 }

// pageHeadOf reads how a page is laid out. ok is false for a damaged one.
func pageHeadOf(text []byte) (h pageHead, ok bool) {
	if len(text) == 0 {
		return h, false
	}
	h = pageHead{offset: int(text[0]), size: 1}
	if text[0]&orderedPage != 0 {
		if len(text) < headBytes {
			return h, false
		}
		h = pageHead{
			offset: int(text[0] &^ orderedPage), mark: int(text[1]), version: int(text[2]), seq: int(text[3]), size: headBytes,
			leastVersion: int64(binary.BigEndian.Uint64(text[4:])), leastSeq: int64(binary.BigEndian.Uint64(text[12:])),
		}
	}
	return h, h.offset >= minOffset && h.offset <= 8 && h.mark <= 2 && h.version <= 8 && h.seq <= 8
}

// read reads what stands behind the offset of an entry.
func (h *pageHead) read(text []byte) entry {
	e := entry{sum: binary.BigEndian.Uint32(text[h.offset:])}
	text = text[h.offset+sumBytes:]
	e.mark = uint16(numberAt(text, h.mark))
	e.version = h.leastVersion + int64(numberAt(text[h.mark:], h.version))
	e.seq = h.leastSeq + int64(numberAt(text[h.mark+h.version:], h.seq))
	return e
}

// unpack reads a page. A damaged one gives what can be read of it; missing digests only make objects be sent again.
func unpack(first uint64, text []byte) []digest {
	h, ok := pageHeadOf(text)
	if !ok {
		return nil
	}
	text = text[h.size:]
	size := h.entry()
	out := make([]digest, 0, len(text)/size)
	for ; len(text) >= size; text = text[size:] {
		out = append(out, digest{first + numberAt(text, h.offset), h.read(text)})
	}
	return out
}

// find gives what a page keeps of a hash, nothing when it is not there.
func find(first uint64, text []byte, hash uint64) entry {
	h, ok := pageHeadOf(text)
	if !ok || hash < first {
		return entry{}
	}
	text = text[h.size:]
	size := h.entry()
	want := hash - first
	low, high := 0, len(text)/size
	for low < high {
		mid := (low + high) / 2
		if numberAt(text[mid*size:], h.offset) < want {
			low = mid + 1
		} else {
			high = mid
		}
	}
	if low*size+size > len(text) || numberAt(text[low*size:], h.offset) != want {
		return entry{}
	}
	return h.read(text[low*size:])
}

func numberAt(text []byte, width int) uint64 {
	var v uint64
	for _, b := range text[:width] {
		v = v<<8 | uint64(b)
	}
	return v
}
