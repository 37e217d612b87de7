package lookups

import (
	"errors"
	"net/http"
	"sync"

	"github.com/culvert/culvert/actions"
	"github.com/culvert/culvert/sources/httpget"
)

// workers is how many requests one lookup has under way at once.
const workers = 4

// InParts asks part by part, a few at once, until the system turns out to be away: the questions of the
// parts that are left are answered with that. told hears of a program's fault.
func InParts(parts [][]int, answers []actions.Answer, told func(error), ask func(part []int)) {
	var mu sync.Mutex
	var away error // what keeps the system from answering anybody
	var wg sync.WaitGroup
	room := make(chan struct{}, workers)
	for _, part := range parts {
		room <- struct{}{}
		wg.Go(func() {
			defer func() { <-room }()
			defer Recovered(func(err error) {
				told(err)
				Fail(answers, part, brokeDown())
			})
			mu.Lock()
			stop := away
			mu.Unlock()
			if stop != nil {
				Fail(answers, part, stop)
				return
			}
			ask(part)
			mu.Lock()
			defer mu.Unlock()
			for _, i := range part {
				if e, ok := errors.AsType[*Error](answers[i].Err); ok && e.Away {
					away = e
				}
			}
		})
	}
	wg.Wait()
}

// Fail gives some questions the same error.
func Fail(answers []actions.Answer, part []int, err error) {
	for _, i := range part {
		answers[i].Err = err
	}
}

// Halved asks for a part. What a system refuses for several values is halved until the culprit is alone. Where
// gone is set, a thing that the system says is not there is none that is found.
func Halved(part []int, answers []actions.Answer, gone bool, ask func(part []int) error) {
	err := ask(part)
	if e, ok := errors.AsType[*httpget.Error](err); ok && e.Status >= 400 && e.Status < 500 && !e.Passing() &&
		e.Status != http.StatusUnauthorized && e.Status != http.StatusForbidden {
		switch {
		case len(part) > 1:
			half := len(part) / 2
			Halved(part[:half], answers, gone, ask)
			Halved(part[half:], answers, gone, ask)
			return
		case gone && (e.Status == http.StatusNotFound || e.Status == http.StatusGone):
			return // there is no such thing
		}
	}
	if err != nil {
		Fail(answers, part, OfHTTP(err))
	}
}
