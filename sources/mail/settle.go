package mail

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/emersion/go-imap/v2"

	"github.com/culvert/culvert/sources/remote"
)

// change does something to the mail that a file came in.
func (p *place) change(ctx context.Context, item remote.Item, do func(mail imap.UIDSet) error) error {
	l := p.listed[item.Path]
	if l == nil {
		return nil // gone
	}
	if err := p.again(ctx); err != nil {
		return err
	}
	p.conn.Bound(maxTold)
	return do(imap.UIDSetNum(l.mail.uid))
}

// Move moves the mail that a file came in into a folder.
func (p *place) Move(ctx context.Context, item remote.Item, folder string) error {
	return p.change(ctx, item, func(mail imap.UIDSet) error {
		name := nameOf(folder, p.delim)
		err := p.moveTo(mail, name)
		if answer, ok := errors.AsType[*imap.Error](err); ok && (answer.Code == imap.ResponseCodeTryCreate ||
			answer.Code == imap.ResponseCodeNonExistent || !p.exists(name)) {
			if err := p.client.Create(name, nil).Wait(); err != nil {
				return p.problem("make the folder "+folder, err)
			}
			_ = p.client.Subscribe(name).Wait() // so that mail programs show it; some servers do without
			err = p.moveTo(mail, name)
		}
		if err != nil {
			return p.problem("move a mail into "+folder, err)
		}
		return nil
	})
}

// exists tells whether a folder is there, as far as the server says it.
func (p *place) exists(name string) bool {
	list, err := p.client.List("", name, nil).Collect()
	return err != nil || len(list) > 0
}

// moveTo moves at one stroke where the server can, and by a copy and a mark where it cannot.
func (p *place) moveTo(mail imap.UIDSet, name string) error {
	if p.client.Caps().Has(imap.CapMove) {
		_, err := p.client.Move(mail, name).Wait()
		return err
	}
	if _, err := p.client.Copy(mail, name).Wait(); err != nil {
		return err
	}
	return p.remove(mail)
}

// Delete removes the mail that a file came in.
func (p *place) Delete(ctx context.Context, item remote.Item) error {
	return p.change(ctx, item, func(mail imap.UIDSet) error {
		if err := p.remove(mail); err != nil {
			return p.problem("delete a mail", err)
		}
		return nil
	})
}

// remove marks a mail as deleted, and removes it where that removes no other: those that people have marked are theirs.
func (p *place) remove(mail imap.UIDSet) error {
	err := p.client.Store(mail, &imap.StoreFlags{Op: imap.StoreFlagsAdd, Silent: true,
		Flags: []imap.Flag{imap.FlagDeleted}}, nil).Close()
	if caps := p.client.Caps(); err != nil || !caps.Has(imap.CapUIDPlus) && !caps.Has(imap.CapIMAP4rev2) {
		return err
	}
	return p.client.UIDExpunge(mail).Close()
}

// Tag gives the mail that a file came in a keyword.
func (p *place) Tag(ctx context.Context, item remote.Item, value string) error {
	keyword := keywordDone
	if value != "done" {
		keyword = keywordFailed
	}
	if !slices.Contains(p.flags, imap.FlagWildcard) && !slices.Contains(p.flags, keyword) {
		return fmt.Errorf("%s keeps no keywords of mails in %s: write after: move", p.host, p.rule.Folder)
	}
	return p.change(ctx, item, func(mail imap.UIDSet) error {
		err := p.client.Store(mail, &imap.StoreFlags{Op: imap.StoreFlagsAdd, Silent: true,
			Flags: []imap.Flag{keyword}}, nil).Close()
		if err != nil {
			return p.problem("mark a mail", err)
		}
		return nil
	})
}
