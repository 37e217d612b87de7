package mail

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/emersion/go-imap/v2"

	"github.com/culvert/culvert/sources/remote"
)

// What a server says it found is as many mails as a folder may hold, however few bytes it takes to say more.
func TestBoundsWhatIsFound(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		found imap.NumSet
		want  []imap.UID
		ok    bool
	}{
		"nothing":             {nil, nil, true},
		"an empty set":        {imap.UIDSet(nil), nil, true},
		"ranges":              {imap.UIDSet{{Start: 3, Stop: 5}, {Start: 9, Stop: 9}}, []imap.UID{3, 4, 5, 9}, true},
		"the last one":        {imap.UIDSet{{Start: math.MaxUint32, Stop: math.MaxUint32}}, []imap.UID{math.MaxUint32}, true},
		"all there can be":    {imap.UIDSet{{Start: 1, Stop: math.MaxUint32}}, nil, false},
		"one too many":        {imap.UIDSet{{Start: 1, Stop: maxMails}, {Start: maxMails + 5, Stop: maxMails + 5}}, nil, false},
		"up to what comes":    {imap.UIDSet{{Start: 7, Stop: 0}}, nil, false},
		"the wrong way round": {imap.UIDSet{{Start: 7, Stop: 3}}, nil, false},
	} {
		got, ok := uidsOf(c.found)
		if ok != c.ok || !slices.Equal(got, c.want) {
			t.Errorf("%s: %v %v, want %v %v", name, got, ok, c.want, c.ok)
		}
	}
}

// Letters without files, which a rule for all of a domain reads too, do not fill what people look at.
func TestTellsOfSomeMails(t *testing.T) {
	t.Parallel()
	p := &place{rule: &remote.Rule{Folder: "INBOX", MaxBytes: 1 << 20}, known: &folder{mails: map[imap.UID]*message{}},
		listed: map[string]*listed{}}
	for n := range imap.UID(mostTold + 7) {
		p.known.mails[n+1] = &message{uid: n + 1, key: fmt.Sprint(n), read: true, looked: true, content: content{problem: "no file"}}
	}
	p.known.mails[1000] = &message{uid: 1000, key: "good", read: true, looked: true,
		content: content{parts: []part{{number: []int{2}, name: "a.csv"}}}}
	items := p.items()
	if len(items) != mostTold+2 || !strings.HasPrefix(items[mostTold+1].Problem, "7 more mails in INBOX") ||
		items[mostTold].Name != "a.csv" {
		t.Errorf("%d items: %+v", len(items), items)
	}
}
