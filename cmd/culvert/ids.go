package main

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/culvert/culvert/actions"
	"github.com/culvert/culvert/actions/dhis2"
	"github.com/culvert/culvert/engine/journal"
	"github.com/culvert/culvert/engine/project"
)

func (a *app) idsCommand() *cobra.Command {
	var server, external, trackedEntityType, namespace, set, importFile, why string
	var limit int
	c := &cobra.Command{
		Use:   "ids",
		Short: "List, look up and correct which DHIS2 object an external id stands for",
		Long: `Most external ids need no entry: their UID is derived from project, tracked entity type and
external id. Listed are the ones that differ: people found in DHIS2 by a unique attribute, ids
that were deleted there and made anew, and entries by hand. With --external-id the UID is shown
also where it is derived; with --set it is corrected; --import reads a CSV with the columns
tracked_entity_type, external_id, uid, and namespace where ids have one.`,
		Example: "  culvert ids\n  culvert ids --type Person --external-id case-1001\n  culvert ids --type Person " +
			"--external-id case-1001 --set Gu3J5dpZwt6 --why \"merged by the district\"",
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			p, err := a.load(c.Context())
			if err != nil {
				return err
			}
			s := p.Config.ServerNamed(server)
			if s == nil {
				return errors.New("name a server of culvert.yaml with --server")
			}
			w := idWork{app: a, project: p, server: s.Name, namespace: namespace, why: why}
			with := a.readJournal
			if importFile != "" || set != "" {
				with = a.withJournal
			}
			return with(c.Context(), func(j journal.Journal) error {
				switch {
				case importFile != "":
					return w.importCSV(c, j, importFile)
				case set != "":
					return w.set(c, j, trackedEntityType, external, set)
				case external != "":
					return w.look(c, j, trackedEntityType, external)
				}
				return w.list(c, j, limit)
			})
		},
	}
	f := c.Flags()
	f.StringVar(&server, "server", "", "a server of culvert.yaml; default: the default one")
	f.StringVar(&external, "external-id", "", "the id in the source system")
	f.StringVar(&trackedEntityType, "type", "",
		"name, code or uid of the tracked entity type; not needed where there is only one")
	f.StringVar(&namespace, "namespace", "",
		"the namespace of the external id, where the rule names one for people; default: the project's")
	f.StringVar(&set, "set", "", "the UID that the external id stands for from now on")
	f.StringVar(&importFile, "import", "", "CSV file with the columns tracked_entity_type, external_id, uid")
	f.StringVar(&why, "why", "", "the reason, for the audit trail")
	f.IntVar(&limit, "limit", 1000, "at most so many")
	return c
}

type idWork struct {
	*app
	project                *project.Project
	server, namespace, why string
}

// typeOf resolves a tracked entity type, with the namespace of the ids; with an empty name there must be only one.
func (w idWork) typeOf(name string) (string, error) {
	t, err := w.typeNamed(name)
	return dhis2.PersonType(t, w.namespace), err
}

func (w idWork) typeNamed(name string) (string, error) {
	x := w.project.Indexes[w.server]
	if x == nil {
		return "", fmt.Errorf("there is no metadata of server %s yet: run `culvert sync`", w.server)
	}
	if name == "" {
		if types := x.Snapshot.TrackedEntityTypes; len(types) == 1 {
			return types[0].ID, nil
		}
		return "", errors.New("name the tracked entity type with --type")
	}
	t, _, near := x.TrackedEntityType(name)
	if t == nil {
		return "", fmt.Errorf("there is no tracked entity type %q; nearest: %v", name, near)
	}
	return t.ID, nil
}

func (w idWork) list(c *cobra.Command, j journal.Journal, limit int) error {
	ids, err := j.ListIdentities(c.Context(), w.server, "", limit)
	if err != nil {
		return err
	}
	rows := [][]string{{"TYPE", "NAMESPACE", "EXTERNAL ID", "UID", "GENERATION", "ORIGIN"}}
	for _, i := range ids {
		t, namespace := dhis2.TypeOfPerson(i.Type)
		rows = append(rows, []string{t, namespace, i.ExternalID, i.UID, strconv.Itoa(i.Generation), i.Origin})
	}
	table(w.stdout, rows)
	if len(ids) == limit {
		fmt.Fprintf(w.stderr, "only the first %d are shown: ask for more with --limit\n", limit)
	}
	return nil
}

func (w idWork) look(c *cobra.Command, j journal.Journal, typ, external string) error {
	uid, err := w.typeOf(typ)
	if err != nil {
		return err
	}
	ids, err := j.ListIdentities(c.Context(), w.server, external, 10)
	if err != nil {
		return err
	}
	for _, i := range ids {
		if i.Type == uid {
			fmt.Fprintf(w.stdout, "%s (%s, generation %d)\n", i.UID, i.Origin, i.Generation)
			return nil
		}
	}
	fmt.Fprintf(w.stdout, "%s (derived)\n", dhis2.PersonUID(w.project.Config.Project, uid, external, 0))
	return nil
}

func (w idWork) set(c *cobra.Command, j journal.Journal, typ, external, uid string) error {
	if external == "" {
		return errors.New("name the external id with --external-id")
	}
	t, err := w.typeOf(typ)
	if err != nil {
		return err
	}
	if !dhis2.IsUID(uid) {
		return fmt.Errorf("%q is not a DHIS2 UID: 11 letters and digits, a letter first", uid)
	}
	id := actions.Identity{IdentityKey: actions.IdentityKey{Type: t, ExternalID: external}, UID: uid, Origin: "manual"}
	if err := j.SetIdentities(c.Context(), w.server, []actions.Identity{id}, who(), w.why); err != nil {
		return err
	}
	fmt.Fprintf(w.stdout, "%s now stands for %s\n", external, uid)
	return nil
}

func (w idWork) importCSV(c *cobra.Command, j journal.Journal, file string) error {
	f, err := os.Open(file)
	if err != nil {
		return fmt.Errorf("read the id map: %w", err)
	}
	defer func() { _ = f.Close() }() // only read
	ids, err := w.readIDs(file, f)
	if err != nil {
		return err
	}
	if err := j.SetIdentities(c.Context(), w.server, ids, who(), w.why); err != nil {
		return err
	}
	fmt.Fprintf(w.stdout, "%s taken over\n", count(len(ids), "id", "ids"))
	return nil
}

// readIDs reads the whole map before any of it is used: a mistake in line 900 must not leave 899 behind.
func (w idWork) readIDs(file string, f io.Reader) ([]actions.Identity, error) {
	r := csv.NewReader(f)
	header, err := r.Read()
	if err != nil {
		return nil, fmt.Errorf("%s:1: the header cannot be read: %w", file, err)
	}
	column := map[string]int{}
	for i, h := range header {
		column[h] = i
	}
	for _, need := range []string{"external_id", "uid"} {
		if _, ok := column[need]; !ok {
			return nil, fmt.Errorf("%s:1: the column %s is missing; the header is tracked_entity_type,external_id,uid", file,
				need)
		}
	}
	var ids []actions.Identity
	for line := 2; ; line++ {
		row, err := r.Read()
		if errors.Is(err, io.EOF) {
			return ids, nil
		}
		if err != nil {
			return nil, fmt.Errorf("%s:%d: %w", file, line, err)
		}
		name := ""
		if i, ok := column["tracked_entity_type"]; ok {
			name = row[i]
		}
		if i, ok := column["namespace"]; ok {
			w.namespace = row[i]
		}
		t, err := w.typeOf(name)
		if err != nil {
			return nil, fmt.Errorf("%s:%d: %w", file, line, err)
		}
		uid := row[column["uid"]]
		if !dhis2.IsUID(uid) {
			return nil, fmt.Errorf("%s:%d: %q is not a DHIS2 UID: 11 letters and digits, a letter first", file, line, uid)
		}
		ids = append(ids, actions.Identity{IdentityKey: actions.IdentityKey{Type: t, ExternalID: row[column["external_id"]]},
			UID: uid, Origin: "manual"})
	}
}
