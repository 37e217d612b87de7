package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// AnalyticsTask is how a run of the analytics tables stands.
type AnalyticsTask struct {
	Known   bool // the server knows of it: not in the seconds before it begins, nor after a restart
	Ended   bool
	Problem string // why it failed, in the server's words; empty unless it did
}

// analyticsTasks are what servers note of the runs of analytics tables, from 2.38 to 2.43.
const analyticsTasks = "system/tasks/ANALYTICS_TABLE"

// StartAnalytics asks the server to make its analytics tables anew and gives the id of the task,
// which begins some seconds later. lastYears bounds how far back the data go; 0: all. The user needs
// the authority F_PERFORM_MAINTENANCE (ResourceTableController). The error is an *Error.
func (c *Client) StartAnalytics(ctx context.Context, lastYears int) (task string, err error) {
	query := url.Values{}
	if lastYears > 0 {
		query.Set("lastYears", strconv.Itoa(lastYears))
	}
	a, err := c.do(ctx, request{method: http.MethodPost, path: "resourceTables/analytics", query: query})
	if err == nil {
		err = c.refusal(a)
	}
	if e, ok := errors.AsType[*Error](err); ok && e.Kind == Forbidden {
		e.Hint = "give the user's role the authority F_PERFORM_MAINTENANCE (\"Perform maintenance tasks\")"
	}
	if err != nil {
		return "", err
	}
	var m struct {
		Response struct {
			ID string `json:"id"`
		} `json:"response"`
	}
	if err := json.Unmarshal(a.body, &m); err != nil {
		return "", c.brokenReply(a, err)
	}
	if m.Response.ID == "" {
		return "", c.brokenReply(a, errors.New("it names no task"))
	}
	return m.Response.ID, nil
}

// taskNote is what a server notes of a task as it goes on.
type taskNote struct {
	Level     string `json:"level"`
	Message   string `json:"message"`
	Time      string `json:"time"`
	Completed bool   `json:"completed"`
}

// stateOf reads the notes of one task. A step that failed is an error too, and the task goes on: only
// what it says at its end counts.
func stateOf(notes []taskNote) AnalyticsTask {
	t := AnalyticsTask{Known: len(notes) > 0}
	for _, n := range notes {
		if !n.Completed {
			continue
		}
		t.Ended = true
		if n.Level == "ERROR" {
			t.Problem = n.Message
		}
	}
	return t
}

// AnalyticsTask tells how a run stands.
func (c *Client) AnalyticsTask(ctx context.Context, task string) (AnalyticsTask, error) {
	var notes []taskNote
	if err := c.Get(ctx, analyticsTasks+"/"+url.PathEscape(task), nil, &notes); err != nil {
		return AnalyticsTask{}, err
	}
	return stateOf(notes), nil
}

// staleTask is after how long without a note a run that has not ended is taken for one that never will.
const staleTask = 6 * time.Hour

// AnalyticsRunning gives the id of a run that is under way, whoever asked for it; empty when there is none.
func (c *Client) AnalyticsRunning(ctx context.Context) (task string, err error) {
	var tasks map[string][]taskNote
	if err := c.Get(ctx, analyticsTasks, nil, &tasks); err != nil {
		return "", err
	}
	tables, err := c.AnalyticsTables(ctx)
	if err != nil {
		return "", err
	}
	for id, notes := range tasks {
		if len(notes) == 0 || stateOf(notes).Ended {
			continue
		}
		if at, ok := serverTime(notes[0].Time); !ok || tables.serverNow.Sub(at) < staleTask {
			return id, nil
		}
	}
	return "", nil
}

// AnalyticsTables says of what time the data in a server's analytics tables are.
type AnalyticsTables struct {
	Age       time.Duration // since the last run that succeeded began
	Ever      bool          // there was one
	serverNow time.Time
}

// AnalyticsTables asks for the state of the tables. Times of a server have no zone: only differences tell something.
func (c *Client) AnalyticsTables(ctx context.Context) (AnalyticsTables, error) {
	var info struct {
		Now     string `json:"serverDate"`
		Success string `json:"lastAnalyticsTableSuccess"`
	}
	if err := c.SystemInfo(ctx, &info); err != nil {
		return AnalyticsTables{}, err
	}
	now, ok := serverTime(info.Now)
	if !ok {
		return AnalyticsTables{}, fmt.Errorf("%s says no time of its own", c.name)
	}
	t := AnalyticsTables{serverNow: now}
	// A server that never made them says 1970 (SystemSettings.getLastSuccessfulAnalyticsTablesUpdate).
	if success, ok := serverTime(info.Success); ok && success.Year() > 1970 {
		t.Ever, t.Age = true, now.Sub(success)
	}
	return t, nil
}

// serverTime reads the time of a server, which goes without a zone or with +0000.
func serverTime(text string) (time.Time, bool) {
	text, _, _ = strings.Cut(text, "+")
	at, err := time.Parse("2006-01-02T15:04:05.999", strings.TrimSuffix(text, "Z"))
	return at, err == nil
}
