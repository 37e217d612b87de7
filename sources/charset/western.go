package charset

// Western gathers evidence on whether bytes that are no UTF-8 are Windows-1252, the encoding of
// spreadsheets in Western Europe and of most exports that do not say what they are in. In other
// encodings the same bytes are letters of other scripts, or other letters of the same one: text
// read in the wrong one looks right to a program and is wrong for whoever it names.
type Western struct {
	likely, unlikely int
	before           byte
	run              int // bytes of the current stretch that are no ASCII
}

// Add takes the next bytes of the text.
func (w *Western) Add(text []byte) {
	for _, b := range text {
		w.add(b)
		w.before = b
	}
}

func (w *Western) add(b byte) {
	if b < 0x80 {
		w.run = 0
		return
	}
	w.run++
	inWord := isLetter(w.before) || w.before >= 0xC0
	switch {
	case b == 0x81 || b == 0x8D || b == 0x8F || b == 0x90 || b == 0x9D:
		w.unlikely++ // Windows-1252 has no such character
	case w.run == 3 && w.before >= 0xC0 && b >= 0xC0:
		w.unlikely += 2 // words of accented letters only are of another script
	case b >= 0xC0 && b != 0xD7 && b != 0xF7:
		if isLower(w.before) && b < 0xE0 {
			w.unlikely++ // a capital inside a word
			return
		}
		w.likely++
	case inWord && isOdd(b):
		w.unlikely++
	}
}

// Plausible tells whether the text reads as Windows-1252.
func (w *Western) Plausible() bool { return w.unlikely == 0 || w.unlikely*4 <= w.likely }

func isLetter(b byte) bool { return b|0x20 >= 'a' && b|0x20 <= 'z' }
func isLower(b byte) bool  { return b >= 'a' && b <= 'z' }

// isOdd tells whether a character of Windows-1252 does not follow a letter in a word: what is left
// are the apostrophes, quotes, dashes and dots that writing programs put in, the letters of French,
// the ordinals of Spanish and Portuguese, and spaces.
func isOdd(b byte) bool {
	switch b {
	case 0x85, 0x91, 0x92, 0x93, 0x94, 0x95, 0x96, 0x97, 0x9A, 0x9C, 0x9E, 0x9F, // … ‘ ’ “ ” • – — š œ ž Ÿ
		0xA0, 0xAA, 0xAB, 0xAD, 0xAE, 0xB0, 0xB2, 0xB3, 0xB4, 0xB7, 0xBA, 0xBB: // nbsp ª « - ® ° ² ³ ´ · º »
		return false
	}
	return true
}
