package language

import (
	"embed"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode"
	"unicode/utf8"

	xlanguage "golang.org/x/text/language"
	"gopkg.in/yaml.v3"
)

//go:embed texts/*.yaml
var texts embed.FS

// Language is one that texts are shown in. The nil *Language is English.
type Language struct {
	Tag      string // fr
	Name     string // français
	date     string // a layout of package time
	moment   string
	thousand string
	decimal  string
	zeroOne  bool // 0 takes the singular
	// noBreak is the punctuation that has a space before it, at which no line may end
	noBreak  *strings.Replacer
	entries  map[string]*entry
	patterns patterns
	words    map[string]string // that the code puts into sentences, each by itself
	joins    []join
	// descriptions finds what a key or command is for; nil: nothing
	descriptions func(english string) (string, bool)
	// pages are the paragraphs of the pages on codes; nil: none
	pages func() map[string]string
}

// entry is a text and how the language says it.
type entry struct {
	key   string
	other string // how it is said
	one   string // of a count that takes the singular; empty: as other
}

// file is what a catalog's file holds.
type file struct {
	Language string `yaml:"language"`
	Name     string `yaml:"name"`
	Formats  struct {
		Date     string `yaml:"date"`
		Moment   string `yaml:"moment"`
		Thousand string `yaml:"thousand"`
		Decimal  string `yaml:"decimal"`
		ZeroOne  bool   `yaml:"zero takes the singular"`
		NoBreak  string `yaml:"no line ends before"`
	} `yaml:"formats"`
	Joins map[string]string `yaml:"joins"`
	Words map[string]string `yaml:"words"`
	Texts map[string]said   `yaml:"texts"`
}

// said is a translation: one text, or two by count.
type said struct{ one, other string }

// UnmarshalYAML takes a text, or {one: …, other: …}.
func (s *said) UnmarshalYAML(n *yaml.Node) error {
	if n.Kind == yaml.ScalarNode {
		return n.Decode(&s.other)
	}
	var by struct{ One, Other string }
	if err := n.Decode(&by); err != nil {
		return err
	}
	s.one, s.other = by.One, by.Other
	return nil
}

// catalogs are the languages that there are files for, by tag. Each is read when it is first asked
// for, and once: it is part of the program, and most runs of it speak one language.
var catalogs = sync.OnceValue(func() map[string]func() (*Language, error) {
	list := map[string]func() (*Language, error){}
	names, err := fs.Glob(texts, "texts/*.yaml")
	if err != nil {
		return list // the pattern is right: it never is
	}
	for _, name := range names {
		list[strings.TrimSuffix(path.Base(name), ".yaml")] = sync.OnceValues(func() (*Language, error) {
			text, err := texts.ReadFile(name)
			if err != nil {
				return nil, err
			}
			l, err := read(text)
			if err != nil {
				return nil, fmt.Errorf("read %s: %w", path.Base(name), err)
			}
			l.descriptions, l.pages = descriptionsOf(l.Tag), pagesOf(l.Tag)
			return l, nil
		})
	}
	return list
})

// read reads a catalog.
func read(text []byte) (*Language, error) {
	var f file
	if err := yaml.Unmarshal(text, &f); err != nil {
		return nil, err
	}
	l := &Language{Tag: f.Language, Name: f.Name, date: f.Formats.Date, moment: f.Formats.Moment,
		words: f.Words, joins: joinsOf(f.Joins), thousand: f.Formats.Thousand, decimal: f.Formats.Decimal, zeroOne: f.Formats.ZeroOne,
		entries: make(map[string]*entry, len(f.Texts))}
	if f.Formats.NoBreak != "" {
		var pairs []string
		for _, mark := range f.Formats.NoBreak {
			pairs = append(pairs, " "+string(mark), "\u00a0"+string(mark))
		}
		l.noBreak = strings.NewReplacer(pairs...)
	}
	for key, s := range f.Texts {
		if s.other != "" {
			l.entries[key] = &entry{key: key, other: s.other, one: s.one}
		}
	}
	l.patterns = newPatterns(l.entries)
	return l, nil
}

// Tags lists the languages, English first.
func Tags() []string {
	return append([]string{"en"}, slices.Sorted(maps.Keys(catalogs()))...)
}

// Find gives the language of a tag or of a value of LANG, such as fr, pt-BR, fr_CD.UTF-8. English is nil and true.
func Find(name string) (*Language, bool) {
	name, _, _ = strings.Cut(name, ".")
	base, _, _ := strings.Cut(strings.ReplaceAll(strings.ToLower(strings.TrimSpace(name)), "_", "-"), "-")
	if base == "en" {
		return nil, true
	}
	load, ok := catalogs()[base]
	if !ok {
		return nil, false
	}
	l, err := load()
	return l, err == nil
}

// maxAccept bounds the header that a browser sends.
const maxAccept = 200

// Accept gives the language that a browser likes best of those there are, by its Accept-Language header; ok is false
// where it names none of them.
func Accept(header string) (l *Language, ok bool) {
	if len(header) > maxAccept {
		return nil, false
	}
	tags, _, err := xlanguage.ParseAcceptLanguage(header)
	if err != nil {
		return nil, false
	}
	for _, tag := range tags {
		if l, ok := Find(tag.String()); ok {
			return l, true
		}
	}
	return nil, false
}

// Code is the tag of the language: en, fr, pt.
func (l *Language) Code() string {
	if l == nil {
		return "en"
	}
	return l.Tag
}

// Sprintf says a format of the code, which is the key of its translation, with its values. Space around the format is
// kept; it is not part of the key.
func (l *Language) Sprintf(format string, args ...any) string {
	if l == nil {
		return fmt.Sprintf(format, args...)
	}
	core := strings.TrimSpace(format)
	e, ok := l.entries[core]
	if !ok {
		return l.Text(fmt.Sprintf(format, args...))
	}
	before, after, _ := strings.Cut(format, core)
	return fmt.Sprintf(before+l.say(e, count(e.key, args))+after, args...)
}

// say chooses the form by a count.
func (l *Language) say(e *entry, n int64) string {
	if e.one != "" && (n == 1 || n == 0 && l.zeroOne) {
		return e.one
	}
	return e.other
}

// count gives the first whole number among the values, which decides between one and many; -1 is none.
func count(key string, args []any) int64 {
	for _, p := range parseFormat(key) {
		if p.kind != 'd' || p.arg >= len(args) {
			continue
		}
		switch n := args[p.arg].(type) {
		case int:
			return int64(n)
		case int64:
			return n
		}
	}
	return -1
}

// OwnName is what the language calls itself.
func (l *Language) OwnName() string {
	if l == nil {
		return "English"
	}
	return l.Name
}

// Date writes a day as the language does.
func (l *Language) Date(t time.Time) string {
	if l == nil {
		return t.Format("2006-01-02")
	}
	return t.Format(l.date)
}

// Moment writes a day and a time as the language does.
func (l *Language) Moment(t time.Time) string {
	if l == nil {
		return t.Format("2006-01-02 15:04:05")
	}
	return t.Format(l.moment)
}

// Minute writes a day and a time without seconds as the language does.
func (l *Language) Minute(t time.Time) string {
	if l == nil {
		return t.Format("2006-01-02 15:04")
	}
	return t.Format(strings.TrimSuffix(l.moment, ":05"))
}

// Thousand is what parts the thousands of a number, Decimal what stands before its decimals.
func (l *Language) Thousand() string {
	if l == nil {
		return "\u202f"
	}
	return l.thousand
}

// Decimal is what stands before the decimals of a number.
func (l *Language) Decimal() string {
	if l == nil {
		return "."
	}
	return l.decimal
}

// lower gives the text with its first letter small, if that makes another text.
func lower(text string) (string, bool) {
	r, size := utf8.DecodeRuneInString(text)
	if !unicode.IsUpper(r) {
		return text, false
	}
	return string(unicode.ToLower(r)) + text[size:], true
}

// upper begins a sentence.
func upper(text string) string {
	r, size := utf8.DecodeRuneInString(text)
	return string(unicode.ToUpper(r)) + text[size:]
}
