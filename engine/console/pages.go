package console

import (
	"context"
	"net/http"

	"github.com/culvert/culvert/engine/status"
)

// pageSize is how many records a list shows.
const pageSize = 100

func (s *Console) audit(r *http.Request) (view, error) {
	list, err := s.c.Journal.Audit(r.Context(), pageSize)
	if err != nil {
		return view{}, err
	}
	return view{Title: "Audit trail", Page: "audit", Data: list}, nil
}

// read says how the project stands.
func (s *Console) read(ctx context.Context) (status.Overview, error) {
	return status.Read(ctx, s.c.Journal, s.c.Now())
}
