package main

import (
	"errors"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"
)

// mailbox keeps what it is told until it has heard enough.
func mailbox(ctx workflow.Context, enough int) ([]any, error) {
	heard := []any{}
	if err := workflow.SetQueryHandler(ctx, "so_far", func() ([]any, error) { return heard, nil }); err != nil {
		return nil, err
	}
	mute := func() (string, error) { return "", errors.New("cannot say") }
	if err := workflow.SetQueryHandler(ctx, "broken", mute); err != nil {
		return nil, err
	}
	add := func(_ workflow.Context, what any) (int, error) {
		heard = append(heard, what)
		return len(heard), nil
	}
	check := func(_ workflow.Context, what any) error {
		if what == "bad" {
			return temporal.NewApplicationError("not this", "Refused", "detail")
		}
		return nil
	}
	if err := workflow.SetUpdateHandlerWithOptions(ctx, "add", add, workflow.UpdateHandlerOptions{Validator: check}); err != nil {
		return nil, err
	}
	slowly := func(ctx workflow.Context, what any) (int, error) {
		ctx = workflow.WithActivityOptions(ctx, workflow.ActivityOptions{StartToCloseTimeout: time.Minute})
		if err := workflow.ExecuteActivity(ctx, "Nothing").Get(ctx, nil); err != nil {
			return 0, err
		}
		heard = append(heard, what)
		return len(heard), nil
	}
	if err := workflow.SetUpdateHandler(ctx, "add_slowly", slowly); err != nil {
		return nil, err
	}
	fail := func(_ workflow.Context, what any) (int, error) {
		heard = append(heard, what)
		return 0, temporal.NewApplicationError("in the middle", "Broken")
	}
	if err := workflow.SetUpdateHandler(ctx, "fail", fail); err != nil {
		return nil, err
	}
	wait := func(ctx workflow.Context, count int) (int, error) {
		err := workflow.Await(ctx, func() bool { return len(heard) >= count })
		return len(heard), err
	}
	if err := workflow.SetUpdateHandler(ctx, "wait_for", wait); err != nil {
		return nil, err
	}
	workflow.Go(ctx, func(ctx workflow.Context) {
		for {
			var what any
			if !workflow.GetSignalChannel(ctx, "hear").Receive(ctx, &what) {
				return
			}
			heard = append(heard, what)
		}
	})
	err := workflow.Await(ctx, func() bool { return len(heard) >= enough && workflow.AllHandlersFinished(ctx) })
	return heard, err
}

func addMessageStories() {
	for name, story := range map[string]func(*teller) (any, error){
		"signals":                   signals,
		"signal-with-start":         signalWithStart,
		"signal-closed":             signalClosed,
		"queries":                   queries,
		"updates":                   updates,
		"update-rejected":           updateRejected,
		"update-fails":              updateFails,
		"update-accepted-first":     updateAcceptedFirst,
		"update-of-same-id":         updateOfSameID,
		"update-with-start":         updateWithStart,
		"update-outlived-by-nobody": updateOutlived,
	} {
		stories[name] = story
	}
}

// opened is a mailbox whose first task is over.
func (t *teller) opened(enough int) (client.WorkflowRun, error) {
	run, err := t.start(client.StartWorkflowOptions{}, "Mailbox", enough)
	if err != nil {
		return nil, err
	}
	return run, t.settled(run)
}

func (t *teller) hear(run client.WorkflowRun, what any) error {
	return t.SignalWorkflow(t.ctx, run.GetID(), "", "hear", what)
}

// update sends one, waits for its result, and then for quiet.
func (t *teller) update(run client.WorkflowRun, id, name string, args ...any) any {
	handle, err := t.UpdateWorkflow(t.ctx, client.UpdateWorkflowOptions{
		UpdateID: id, WorkflowID: run.GetID(), UpdateName: name, Args: args, WaitForStage: client.WorkflowUpdateStageCompleted,
	})
	if err != nil {
		return failed(err)
	}
	result := t.updated(handle)
	if err := t.settled(run); err != nil {
		return failed(err)
	}
	return result
}

func (t *teller) updated(handle client.WorkflowUpdateHandle) any {
	var result any
	if err := handle.Get(t.ctx, &result); err != nil {
		return failed(err)
	}
	return result
}

func signals(t *teller) (any, error) {
	run, err := t.opened(2)
	if err != nil {
		return nil, err
	}
	if err := t.hear(run, map[string]any{"number": 1}); err != nil {
		return nil, err
	}
	if err := t.until(run.GetID(), "", enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED); err != nil {
		return nil, err
	}
	err = t.hear(run, "two")
	return t.outcome(run), err
}

func signalWithStart(t *teller) (any, error) {
	options := t.filled(client.StartWorkflowOptions{})
	first, err := t.SignalWithStartWorkflow(t.ctx, options.ID, "hear", "with the start", options, "Mailbox", 2)
	if err != nil {
		return nil, err
	}
	t.runs = append(t.runs, [2]string{first.GetID(), first.GetRunID()})
	if err := t.settled(first); err != nil {
		return nil, err
	}
	second, err := t.SignalWithStartWorkflow(t.ctx, options.ID, "hear", "of a running one", options, "Mailbox", 2)
	if err != nil {
		return nil, err
	}
	return []any{first.GetRunID() == second.GetRunID(), t.outcome(first)}, nil
}

func signalClosed(t *teller) (any, error) {
	run, err := t.start(client.StartWorkflowOptions{}, "Mailbox", 0)
	if err != nil {
		return nil, err
	}
	_ = t.outcome(run)
	return []any{
		failed(t.hear(run, 1)),
		failed(t.SignalWorkflow(t.ctx, "go-nobody-of-this-id", "", "hear", 1)),
	}, nil
}

func queries(t *teller) (any, error) {
	run, err := t.opened(1)
	if err != nil {
		return nil, err
	}
	ask := func(name string) any {
		found, err := t.QueryWorkflow(t.ctx, run.GetID(), run.GetRunID(), name)
		if err != nil {
			return failed(err)
		}
		var value any
		if err := found.Get(&value); err != nil {
			return failed(err)
		}
		return value
	}
	found := []any{ask("so_far"), ask("broken"), ask("no_such_query")}
	if err := t.hear(run, "asked"); err != nil {
		return nil, err
	}
	found = append(found, t.outcome(run), ask("so_far"))
	rejected, err := t.QueryWorkflowWithOptions(t.ctx, &client.QueryWorkflowWithOptionsRequest{
		WorkflowID: run.GetID(), QueryType: "so_far", QueryRejectCondition: enumspb.QUERY_REJECT_CONDITION_NOT_OPEN,
	})
	if err != nil {
		return nil, err
	}
	return append(found, rejected.QueryRejected.GetStatus().String()), nil
}

func updates(t *teller) (any, error) {
	run, err := t.opened(3)
	if err != nil {
		return nil, err
	}
	return []any{
		t.update(run, "first", "add", "one"), t.update(run, "", "add_slowly", "two"), t.update(run, "", "add", "three"), t.outcome(run),
	}, nil
}

func updateRejected(t *teller) (any, error) {
	run, err := t.opened(1)
	if err != nil {
		return nil, err
	}
	return []any{
		t.update(run, "", "add", "bad"), t.update(run, "", "no_such_update", 1), t.update(run, "", "add", "good"), t.outcome(run),
	}, nil
}

func updateFails(t *teller) (any, error) {
	run, err := t.opened(1)
	if err != nil {
		return nil, err
	}
	return []any{t.update(run, "", "fail", "heard"), t.outcome(run)}, nil
}

func updateAcceptedFirst(t *teller) (any, error) {
	run, err := t.opened(1)
	if err != nil {
		return nil, err
	}
	handle, err := t.UpdateWorkflow(t.ctx, client.UpdateWorkflowOptions{
		UpdateID: "waits", WorkflowID: run.GetID(), UpdateName: "wait_for", Args: []any{1}, WaitForStage: client.WorkflowUpdateStageAccepted,
	})
	if err != nil {
		return nil, err
	}
	if err := t.settled(run); err != nil {
		return nil, err
	}
	if err := t.hear(run, "now"); err != nil {
		return nil, err
	}
	again := t.GetWorkflowUpdateHandle(client.GetWorkflowUpdateHandleOptions{WorkflowID: run.GetID(), UpdateID: "waits"})
	return []any{t.updated(handle), t.updated(again), t.outcome(run)}, nil
}

func updateOfSameID(t *teller) (any, error) {
	run, err := t.opened(2)
	if err != nil {
		return nil, err
	}
	found := []any{t.update(run, "same", "add", "once"), t.update(run, "same", "add", "twice")}
	err = t.hear(run, "enough")
	return append(found, t.outcome(run)), err
}

func updateWithStart(t *teller) (any, error) {
	update := func(what string) (client.WorkflowRun, any) {
		operation := t.NewWithStartWorkflowOperation(t.filled(client.StartWorkflowOptions{
			WorkflowIDConflictPolicy: enumspb.WORKFLOW_ID_CONFLICT_POLICY_USE_EXISTING,
		}), "Mailbox", 2)
		handle, err := t.UpdateWithStartWorkflow(t.ctx, client.UpdateWithStartWorkflowOptions{
			StartWorkflowOperation: operation,
			UpdateOptions: client.UpdateWorkflowOptions{
				UpdateName: "add", Args: []any{what}, WaitForStage: client.WorkflowUpdateStageCompleted,
			},
		})
		if err != nil {
			return nil, failed(err)
		}
		run, err := operation.Get(t.ctx)
		if err != nil {
			return nil, failed(err)
		}
		return run, t.updated(handle)
	}
	first, found := update("with the start")
	if first == nil {
		return found, nil
	}
	t.runs = append(t.runs, [2]string{first.GetID(), first.GetRunID()})
	if err := t.settled(first); err != nil {
		return nil, err
	}
	second, again := update("to a running one")
	return []any{found, again, second != nil && second.GetRunID() == first.GetRunID(), t.outcome(first)}, nil
}

func updateOutlived(t *teller) (any, error) {
	run, err := t.opened(9)
	if err != nil {
		return nil, err
	}
	handle, err := t.UpdateWorkflow(t.ctx, client.UpdateWorkflowOptions{
		WorkflowID: run.GetID(), UpdateName: "wait_for", Args: []any{5}, WaitForStage: client.WorkflowUpdateStageAccepted,
	})
	if err != nil {
		return nil, err
	}
	if err := t.settled(run); err != nil {
		return nil, err
	}
	if err := t.TerminateWorkflow(t.ctx, run.GetID(), "", "enough"); err != nil {
		return nil, err
	}
	return t.updated(handle), nil
}
