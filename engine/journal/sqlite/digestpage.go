package sqlite

import "encoding/binary"

// A page of digests is a byte that says how wide offsets are, then entries of an offset from the page's first hash and a sum, ascending.
// With ten million objects offsets need four bytes, so that an entry takes eight.
const (
	pageBytes = 4040 // what fits into a page of the file of 4096 bytes, with its own bookkeeping
	sumBytes  = 4
	minOffset = 4
	perPage   = (pageBytes - 1) / (minOffset + sumBytes)
)

type digestPage struct {
	first   uint64
	entries []byte
}

// pack lays ascending entries out in as few pages as hold them.
func pack(entries []digest) []digestPage {
	var pages []digestPage
	for len(entries) > 0 {
		n, width := fit(entries)
		first := entries[0].hash
		text := append(make([]byte, 0, 1+n*(width+sumBytes)), byte(width))
		var offset [8]byte
		for _, e := range entries[:n] {
			binary.BigEndian.PutUint64(offset[:], e.hash-first)
			text = append(text, offset[8-width:]...)
			text = binary.BigEndian.AppendUint32(text, e.sum)
		}
		pages = append(pages, digestPage{first, text})
		entries = entries[n:]
	}
	return pages
}

// fit says how many entries the next page takes, and how wide their offsets are.
func fit(entries []digest) (n, width int) {
	for width = minOffset; ; width++ {
		n = min(len(entries), (pageBytes-1)/(width+sumBytes))
		if width == 8 || (entries[n-1].hash-entries[0].hash)>>(8*width) == 0 {
			return n, width
		}
	}
}

// unpack reads a page. A damaged one gives what can be read of it; missing digests only make objects be sent again.
func unpack(first uint64, text []byte) []digest {
	if len(text) == 0 || text[0] < minOffset || text[0] > 8 {
		return nil
	}
	width := int(text[0])
	text = text[1:]
	out := make([]digest, 0, len(text)/(width+sumBytes))
	for ; len(text) >= width+sumBytes; text = text[width+sumBytes:] {
		out = append(out, digest{first + offsetOf(text, width), binary.BigEndian.Uint32(text[width:])})
	}
	return out
}

// find gives the sum of a hash in a page, 0 when it is not there.
func find(first uint64, text []byte, hash uint64) uint32 {
	if len(text) == 0 || text[0] < minOffset || text[0] > 8 || hash < first {
		return 0
	}
	width := int(text[0])
	size := width + sumBytes
	text = text[1:]
	want := hash - first
	low, high := 0, len(text)/size
	for low < high {
		mid := (low + high) / 2
		if offsetOf(text[mid*size:], width) < want {
			low = mid + 1
		} else {
			high = mid
		}
	}
	if low*size+size > len(text) || offsetOf(text[low*size:], width) != want {
		return 0
	}
	return binary.BigEndian.Uint32(text[low*size+width:])
}

func offsetOf(text []byte, width int) uint64 {
	var v uint64
	for _, b := range text[:width] {
		v = v<<8 | uint64(b)
	}
	return v
}
