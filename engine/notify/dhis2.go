package notify

import "context"

// Inbox sends messages to users and user groups within DHIS2.
type Inbox struct {
	Channel string
	// Post sends one message; subject and text are plain text.
	Post func(ctx context.Context, subject, text string) error
}

// Name implements Channel.
func (i *Inbox) Name() string { return i.Channel }

// Send implements Channel.
func (i *Inbox) Send(ctx context.Context, m Message) error { return i.Post(ctx, m.Subject(), m.Text()) }
