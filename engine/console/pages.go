package console

import (
	"context"
	"encoding/json"
	"net/http"

	"github.com/culvert/culvert/engine/status"
)

func (s *Console) apiOverview(w http.ResponseWriter, r *http.Request) {
	o, err := s.read(r.Context())
	if err != nil {
		http.Error(w, "the journal cannot be read now", http.StatusServiceUnavailable)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(o) // the caller is gone when this fails
}

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
