package main

import (
	"errors"
	"io"
	"log/slog"

	"github.com/spf13/cobra"

	"github.com/culvert/culvert/engine/lsp"
)

func (a *app) lspCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "lsp",
		Short: "Serve an editor: findings, completion and hover while a rule is written",
		Long: `Speak the Language Server Protocol with an editor over stdin and stdout. Editors start it
themselves: docs/editors.md shows how for VS Code, Neovim, Helix, Emacs and Zed. What it says of a
rule is what validate says. It needs no network and changes nothing.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			level := slog.LevelWarn
			if a.verbose {
				level = slog.LevelDebug
			}
			log := slog.New(slog.NewTextHandler(a.stderr, &slog.HandlerOptions{Level: level}))
			return lsp.Serve(c.Context(), stdio{a.stdin, raw(a.stdout)},
				lsp.Options{Loader: a.loader, Version: version, Log: log, Language: a.language, Chosen: a.lang != ""})
		},
	}
	c.Flags().Bool("stdio", true, "speak over stdin and stdout, the only way there is; editors give the flag")
	return c
}

// stdio joins what is read and what is written to one stream.
type stdio struct {
	io.Reader
	io.Writer
}

// Close closes what is read, so that a read that waits ends.
func (s stdio) Close() error {
	var err error
	if c, ok := s.Reader.(io.Closer); ok {
		err = c.Close()
	}
	if errors.Is(err, io.ErrClosedPipe) {
		return nil
	}
	return err
}
