package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"
)

// teller is what a story has at hand: a client, names of its own, and a list of the runs that it started.
type teller struct {
	client.Client
	ctx    context.Context
	name   string
	runs   [][2]string
	follow bool
}

// id is a workflow id that only this story uses.
func (t *teller) id(part string) string {
	if part == "" {
		return "go-" + t.name
	}
	return "go-" + t.name + "-" + part
}

// start starts a run whose history belongs to the story.
func (t *teller) start(options client.StartWorkflowOptions, workflow string, args ...any) (client.WorkflowRun, error) {
	options = t.filled(options)
	run, err := t.ExecuteWorkflow(t.ctx, options, workflow, args...)
	if err == nil {
		t.runs = append(t.runs, [2]string{run.GetID(), run.GetRunID()})
	}
	return run, err
}

func (t *teller) filled(options client.StartWorkflowOptions) client.StartWorkflowOptions {
	if options.ID == "" {
		options.ID = t.id("")
	}
	if options.TaskQueue == "" {
		options.TaskQueue = queue
	}
	if options.WorkflowExecutionTimeout == 0 {
		options.WorkflowExecutionTimeout = time.Minute
	}
	return options
}

// run starts a run and waits for its outcome.
func (t *teller) run(options client.StartWorkflowOptions, workflow string, args ...any) (any, error) {
	run, err := t.start(options, workflow, args...)
	if err != nil {
		return nil, err
	}
	return t.outcome(run), nil
}

// outcome is a run's result, or what failed and why.
func (t *teller) outcome(run client.WorkflowRun) any {
	var result any
	if err := run.Get(t.ctx, &result); err != nil {
		return failed(err)
	}
	return result
}

// failed is an error and its causes.
func failed(err error) any {
	if err == nil {
		return nil
	}
	chain := []map[string]any{}
	for ; err != nil; err = errors.Unwrap(err) {
		chain = append(chain, told(err))
	}
	return map[string]any{"failed": chain}
}

func told(err error) map[string]any {
	said := map[string]any{"error": fmt.Sprintf("%T", err)}
	switch failure := err.(type) {
	case *temporal.WorkflowExecutionError: // its message names the run
	case *temporal.ActivityError:
		said["activity"] = failure.ActivityType().GetName()
		said["id"] = failure.ActivityID()
		said["retry_state"] = failure.RetryState().String()
	case *temporal.ChildWorkflowExecutionError:
		said["workflow"] = failure.WorkflowType()
		said["retry_state"] = failure.RetryState().String()
	case *temporal.ApplicationError:
		said["message"] = failure.Message()
		said["type"] = failure.Type()
		said["non_retryable"] = failure.NonRetryable()
		if failure.HasDetails() {
			var first any
			_ = failure.Details(&first)
			said["first_detail"] = first
		}
	case *temporal.TimeoutError:
		said["type"] = failure.TimeoutType().String()
		if failure.HasLastHeartbeatDetails() {
			var last any
			_ = failure.LastHeartbeatDetails(&last)
			said["heartbeat"] = last
		}
	case *temporal.NexusOperationError: // its message has a token
		said["endpoint"] = failure.Endpoint
		said["operation"] = failure.Operation
	case *serviceerror.WorkflowExecutionAlreadyStarted:
		said["message"] = failure.Error()
	default:
		said["message"] = err.Error()
	}
	return said
}

// history is all of a run's events so far.
func (t *teller) history(run client.WorkflowRun) ([]*historypb.HistoryEvent, error) {
	return t.historyOf(run.GetID(), run.GetRunID())
}

func (t *teller) historyOf(id, runID string) ([]*historypb.HistoryEvent, error) {
	events := []*historypb.HistoryEvent{}
	page := t.GetWorkflowHistory(t.ctx, id, runID, false, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
	for page.HasNext() {
		event, err := page.Next()
		if err != nil {
			return nil, err
		}
		events = append(events, event)
	}
	return events, nil
}

// until waits until a run has these events, and nothing is under way in it.
func (t *teller) until(id, runID string, kinds ...enumspb.EventType) error {
	for {
		events, err := t.historyOf(id, runID)
		if err != nil {
			return err
		}
		have := map[enumspb.EventType]int{}
		for _, event := range events {
			have[event.GetEventType()]++
		}
		enough := true
		for _, kind := range kinds {
			have[kind]--
			enough = enough && have[kind] >= 0
		}
		if enough {
			found, err := t.DescribeWorkflowExecution(t.ctx, id, runID)
			if err != nil {
				return err
			}
			if found.GetPendingWorkflowTask() == nil {
				return nil
			}
		}
		if err := t.nap(); err != nil {
			return err
		}
	}
}

// settled waits until a run's first task is over, and nothing is under way in it.
func (t *teller) settled(run client.WorkflowRun) error {
	return t.until(run.GetID(), run.GetRunID(), enumspb.EVENT_TYPE_WORKFLOW_TASK_COMPLETED)
}

// eventually waits until a condition holds.
func (t *teller) eventually(condition func() (bool, error)) error {
	for {
		if holds, err := condition(); holds || err != nil {
			return err
		}
		if err := t.nap(); err != nil {
			return err
		}
	}
}

func (t *teller) nap() error {
	select {
	case <-t.ctx.Done():
		return t.ctx.Err()
	case <-time.After(50 * time.Millisecond):
		return nil
	}
}

// tell is a story that starts one run and waits for it.
func single(name string, options client.StartWorkflowOptions, workflow string, args ...func(*teller) any) {
	stories[name] = func(t *teller) (any, error) {
		given := []any{}
		for _, arg := range args {
			given = append(given, arg(t))
		}
		return t.run(options, workflow, given...)
	}
}

// the is an argument that is the same in each telling.
func the(value any) func(*teller) any {
	return func(*teller) any { return value }
}

// idOf is an argument that is a workflow id of the story's own.
func idOf(part string) func(*teller) any {
	return func(t *teller) any { return t.id(part) }
}
