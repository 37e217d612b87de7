package metadata

import (
	"slices"
	"strings"
	"unicode"

	"github.com/culvert/culvert/rules/diag"
)

// maxSuggestions is how many nearest names a finding may list.
const maxSuggestions = 5

// minPart is how many letters a part of a name needs to stand for the whole.
const minPart = 4

// nearest gives the names most like the one that was written: first those that differ by a few
// letters, then those that contain it or are contained in it. None when nothing comes close.
func nearest(written string, names []string) []string {
	want := fold(written)
	if want == "" {
		return nil
	}
	found := diag.Nearest(written, names)
	if len(want) < minPart {
		return found
	}
	for _, name := range names {
		if len(found) >= maxSuggestions {
			break
		}
		part := fold(name)
		if len(part) >= minPart && (strings.Contains(part, want) || strings.Contains(want, part)) &&
			!slices.Contains(found, name) {
			found = append(found, name)
		}
	}
	if len(found) == 0 {
		return sameWords(want, names)
	}
	return found
}

// sameWords gives the names that hold every word that was written, or one that differs from it by a
// letter or two: "Wieght" is of "Weight (kg)", "Malaria report" of "Malaria monthly report".
func sameWords(want string, names []string) []string {
	words := strings.FieldsFunc(want, notOfWord)
	letters := 0
	for _, word := range words {
		letters += len(word)
	}
	if len(words) == 0 || len(words) > maxWords || letters < minPart+1 {
		return nil
	}
	var found []string
	for _, name := range names {
		if len(found) == maxSuggestions {
			break
		}
		have := strings.FieldsFunc(fold(name), notOfWord)
		if len(have) <= maxWords && !slices.ContainsFunc(words, func(word string) bool {
			return !slices.Contains(have, word) && (len(word) < minPart || len(diag.Nearest(word, have)) == 0)
		}) {
			found = append(found, name)
		}
	}
	return found
}

// maxWords bounds the names that are compared word by word.
const maxWords = 12

func notOfWord(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) }

func fold(s string) string { return strings.ToLower(strings.Join(strings.Fields(s), " ")) }
