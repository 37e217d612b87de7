package convert

import (
	"bytes"
	"encoding/json"
	"fmt"
)

// task is a task of MOTECH as it exports them.
type task struct {
	Name        string       `json:"name"`
	Description string       `json:"description"`
	Enabled     bool         `json:"enabled"`
	Trigger     *taskEvent   `json:"trigger"`
	Actions     []taskAction `json:"actions"`
	Config      struct {
		Steps []taskStep `json:"steps"`
	} `json:"taskConfig"`
	Retry      bool     `json:"retryTaskOnFailure"`
	Retries    int      `json:"numberOfRetries"`
	Interval   int      `json:"retryIntervalInMilliseconds"`
	UseWindow  bool     `json:"useTimeWindow"`
	Start      any      `json:"startTime"`
	End        any      `json:"endTime"`
	Days       []string `json:"days"`
	Validation []any    `json:"validationErrors"`
}

type taskEvent struct {
	Name        string `json:"name"`
	DisplayName string `json:"displayName"`
	ChannelName string `json:"channelName"`
	ModuleName  string `json:"moduleName"`
	Subject     string `json:"subject"`
	Listener    string `json:"triggerListenerSubject"`
}

type taskAction struct {
	taskEvent
	ServiceMethod string            `json:"serviceMethod"`
	SpecifiedName string            `json:"specifiedName"`
	Values        map[string]string `json:"values"`
}

type taskStep struct {
	Type      string       `json:"@type"` // FilterSet or DataSource
	Order     int          `json:"order"`
	Filters   []taskFilter `json:"filters"`
	Operator  string       `json:"operator"` // AND, OR
	ForAction *int         `json:"actionFilterOrder"`

	Provider  string       `json:"providerName"`
	ObjectID  int          `json:"objectId"`
	Object    string       `json:"type"`
	Lookup    string       `json:"name"`
	Specified string       `json:"specifiedName"`
	Fields    []taskLookup `json:"lookup"`
	Fail      bool         `json:"failIfDataNotFound"`
}

type taskLookup struct {
	Field string `json:"field"`
	Value string `json:"value"`
}

type taskFilter struct {
	DisplayName   string   `json:"displayName"`
	Key           string   `json:"key"`
	Type          string   `json:"type"`
	Is            *bool    `json:"negationOperator"` // true: is, false: is not
	Operator      string   `json:"operator"`
	Expression    string   `json:"expression"`
	Manipulations []string `json:"manipulations"`
}

// maxTasks bounds how many tasks one file may hold.
const maxTasks = 1000

func readTasks(text []byte) ([]task, error) {
	text = bytes.TrimSpace(bytes.TrimPrefix(text, []byte("\ufeff")))
	var tasks []task
	switch {
	case len(text) == 0:
		return nil, fmt.Errorf("the file is empty")
	case text[0] == '[':
		if err := json.Unmarshal(text, &tasks); err != nil {
			return nil, err
		}
	default:
		var one struct {
			task
			Tasks []task `json:"tasks"`
		}
		if err := json.Unmarshal(text, &one); err != nil {
			return nil, err
		}
		if tasks = one.Tasks; tasks == nil {
			tasks = []task{one.task}
		}
	}
	if len(tasks) > maxTasks {
		return nil, fmt.Errorf("it holds %d tasks; %d is the most", len(tasks), maxTasks)
	}
	for _, t := range tasks {
		if t.Trigger == nil && len(t.Actions) == 0 {
			return nil, fmt.Errorf("it has neither a trigger nor actions")
		}
	}
	return tasks, nil
}
