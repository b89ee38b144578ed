package main

import (
	"fmt"
	"sync"
	"time"

	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"
)

var workflows = map[string]any{
	"Across":             across,
	"Asking":             asking,
	"Attributes":         attributes,
	"CancelledActivity":  cancelledActivity,
	"Chances":            chances,
	"Child":              child,
	"Life":               life,
	"LocalActivity":      localActivity,
	"Mailbox":            mailbox,
	"OneActivity":        oneActivity,
	"Parent":             parent,
	"Reaching":           reaching,
	"TimerCancelled":     timerCancelled,
	"Timers":             timers,
	"TwoInTurn":          twoInTurn,
	"UnstartedCancelled": unstartedCancelled,
	"Versions":           versions,
}

// failures are the runs that have failed a task already.
var failures sync.Map

func life(ctx workflow.Context, what string, value any) (any, error) {
	info := workflow.GetInfo(ctx)
	ctx = workflow.WithActivityOptions(ctx, workflow.ActivityOptions{StartToCloseTimeout: time.Minute})
	greeted := func(ctx workflow.Context, name string) (string, error) {
		var result string
		err := workflow.ExecuteActivity(ctx, "Greet", name).Get(ctx, &result)
		return result, err
	}
	switch what {
	case "completes":
		return value, nil
	case "fails":
		return nil, temporal.NewApplicationError("as it must", "Fated", value)
	case "fails for good":
		return nil, temporal.NewNonRetryableApplicationError("for good", "Fated", nil)
	case "fails twice":
		if info.Attempt < 3 {
			return nil, temporal.NewApplicationError(fmt.Sprintf("attempt %d", info.Attempt), "Again")
		}
		return []any{info.Attempt, workflow.GetLastError(ctx).Error()}, nil
	case "continues":
		if left := value.(float64); left > 0 {
			return nil, workflow.NewContinueAsNewError(ctx, "Life", "continues", left-1)
		}
		return []any{"continued", info.ContinuedExecutionRunID != "", len(info.Memo.GetFields())}, nil
	case "panics":
		// A bug that goes away: the task fails, and is tried again.
		if _, before := failures.LoadOrStore(info.WorkflowExecution.ID, true); !before {
			panic("a bug")
		}
		return "mended", nil
	case "cleans up":
		err := workflow.Sleep(ctx, time.Minute)
		apart, _ := workflow.NewDisconnectedContext(ctx)
		done, _ := greeted(apart, "cleanup")
		if value == "and completes" {
			return done, nil
		}
		return nil, err
	case "counts":
		var last int
		if workflow.HasLastCompletionResult(ctx) {
			if err := workflow.GetLastCompletionResult(ctx, &last); err != nil {
				return nil, err
			}
		}
		return last + 1, nil
	case "tells of itself":
		return map[string]any{
			"attempt": info.Attempt, "type": info.WorkflowType.Name, "id": info.WorkflowExecution.ID, "queue": info.TaskQueueName,
			"namespace": info.Namespace, "execution_timeout": info.WorkflowExecutionTimeout.String(),
			"run_timeout": info.WorkflowRunTimeout.String(), "task_timeout": info.WorkflowTaskTimeout.String(),
			"cron": info.CronSchedule, "parent": info.ParentWorkflowExecution == nil, "length": info.GetCurrentHistoryLength(),
			"suggested": info.GetContinueAsNewSuggested(),
			"priority":  []any{info.Priority.PriorityKey, info.Priority.FairnessKey, info.Priority.FairnessWeight},
			"attempts":  info.RetryPolicy.MaximumAttempts,
		}, nil
	case "two steps":
		first, err := greeted(ctx, "first")
		if err != nil {
			return nil, err
		}
		workflow.GetSignalChannel(ctx, "go").Receive(ctx, nil)
		second, err := greeted(ctx, "second")
		return []string{first, second}, err
	}
	err := workflow.Await(ctx, func() bool { return workflow.GetSignalChannel(ctx, "go").Len() > 0 })
	return "told", err
}

func addLifeStories() {
	add := func(name string, options client.StartWorkflowOptions, what string, value any) {
		single(name, options, "Life", the(what), the(value))
	}
	plain := client.StartWorkflowOptions{}
	retry := func(attempts int32) client.StartWorkflowOptions {
		return client.StartWorkflowOptions{RetryPolicy: &temporal.RetryPolicy{
			InitialInterval: time.Second, BackoffCoefficient: 1, MaximumAttempts: attempts,
		}}
	}
	add("completes", plain, "completes", map[string]any{"nested": []any{1, 2.5, nil, true, "ä"}})
	add("fails", plain, "fails", "detail")
	add("panics-once", plain, "panics", nil)
	add("continues-as-new", client.StartWorkflowOptions{Memo: map[string]any{"a": "memo"}}, "continues", 2)
	add("retried", retry(5), "fails twice", nil)
	add("not-retried", retry(0), "fails for good", nil)
	add("retried-to-the-end", retry(2), "fails", "always")
	add("run-times-out", client.StartWorkflowOptions{WorkflowRunTimeout: 6 * time.Second}, "waits", nil)
	add("execution-times-out", client.StartWorkflowOptions{WorkflowExecutionTimeout: 6 * time.Second}, "waits", nil)
	add("delayed", client.StartWorkflowOptions{StartDelay: time.Second}, "completes", "late")
	add("info", client.StartWorkflowOptions{
		WorkflowRunTimeout: 30 * time.Second, WorkflowTaskTimeout: 5 * time.Second,
		RetryPolicy: &temporal.RetryPolicy{MaximumAttempts: 3},
		Priority:    temporal.Priority{PriorityKey: 1, FairnessKey: "key", FairnessWeight: 1.5},
	}, "tells of itself", nil)
	single("unknown-workflow-type", client.StartWorkflowOptions{WorkflowExecutionTimeout: 4 * time.Second}, "NoSuchWorkflow")
	stories["cancelled-with-cleanup"] = cancelled("")
	stories["cancelled-but-completes"] = cancelled("and completes")
	stories["terminated"] = terminated
	stories["cron"] = cron
	stories["reset-while-running"] = resetWhileRunning
	stories["reset-to-first-task"] = resetToFirstTask
	stories["taken-ids"] = takenIDs
}

func cancelled(value string) func(*teller) (any, error) {
	return func(t *teller) (any, error) {
		run, err := t.start(client.StartWorkflowOptions{}, "Life", "cleans up", value)
		if err != nil {
			return nil, err
		}
		if err := t.until(run.GetID(), "", enumspb.EVENT_TYPE_TIMER_STARTED); err != nil {
			return nil, err
		}
		err = t.CancelWorkflow(t.ctx, run.GetID(), "")
		return t.outcome(run), err
	}
}

func terminated(t *teller) (any, error) {
	run, err := t.start(client.StartWorkflowOptions{}, "Life", "waits", nil)
	if err != nil {
		return nil, err
	}
	if err := t.settled(run); err != nil {
		return nil, err
	}
	err = t.TerminateWorkflow(t.ctx, run.GetID(), "", "enough", "a detail", 2)
	return t.outcome(run), err
}

func cron(t *teller) (any, error) {
	run, err := t.start(client.StartWorkflowOptions{CronSchedule: "@every 1s"}, "Life", "counts", nil)
	if err != nil {
		return nil, err
	}
	err = t.eventually(func() (bool, error) {
		events, err := t.history(run)
		return err == nil && events[len(events)-1].GetEventType() == enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED, err
	})
	if err != nil {
		return nil, err
	}
	// The run that is ended may or may not have begun, and is left out.
	t.follow = false
	return nil, t.TerminateWorkflow(t.ctx, run.GetID(), "", "once is enough")
}

func (t *teller) reset(run client.WorkflowRun, task int64) (client.WorkflowRun, error) {
	answer, err := t.ResetWorkflowExecution(t.ctx, &workflowservice.ResetWorkflowExecutionRequest{
		Namespace: "default", WorkflowExecution: &commonpb.WorkflowExecution{WorkflowId: run.GetID(), RunId: run.GetRunID()},
		Reason: "for a story", WorkflowTaskFinishEventId: task, RequestId: run.GetID(),
	})
	if err != nil {
		return nil, err
	}
	t.runs = append(t.runs, [2]string{run.GetID(), answer.GetRunId()})
	return t.GetWorkflow(t.ctx, run.GetID(), answer.GetRunId()), nil
}

// halfway is a run that has taken the first of two steps.
func (t *teller) halfway() (client.WorkflowRun, error) {
	run, err := t.start(client.StartWorkflowOptions{}, "Life", "two steps", nil)
	if err != nil {
		return nil, err
	}
	return run, t.until(run.GetID(), "", enumspb.EVENT_TYPE_ACTIVITY_TASK_COMPLETED)
}

func resetWhileRunning(t *teller) (any, error) {
	run, err := t.halfway()
	if err != nil {
		return nil, err
	}
	events, err := t.history(run)
	if err != nil {
		return nil, err
	}
	latest, err := t.reset(run, events[len(events)-1].GetEventId())
	if err != nil {
		return nil, err
	}
	if err := t.until(latest.GetID(), latest.GetRunID()); err != nil {
		return nil, err
	}
	err = goOn(t, latest)
	return t.outcome(latest), err
}

func resetToFirstTask(t *teller) (any, error) {
	run, err := t.halfway()
	if err != nil {
		return nil, err
	}
	if err := goOn(t, run); err != nil {
		return nil, err
	}
	before := t.outcome(run)
	latest, err := t.reset(run, 4)
	if err != nil {
		return nil, err
	}
	// Signals that came later are kept.
	return []any{before, t.outcome(latest)}, nil
}

func takenIDs(t *teller) (any, error) {
	first, err := t.start(client.StartWorkflowOptions{}, "Life", "waits", nil)
	if err != nil {
		return nil, err
	}
	if err := t.settled(first); err != nil {
		return nil, err
	}
	_, taken := t.start(client.StartWorkflowOptions{WorkflowExecutionErrorWhenAlreadyStarted: true}, "Life", "completes", 1)
	same, err := t.start(client.StartWorkflowOptions{}, "Life", "completes", 1)
	if err != nil {
		return nil, err
	}
	second, err := t.start(client.StartWorkflowOptions{
		WorkflowIDConflictPolicy: enumspb.WORKFLOW_ID_CONFLICT_POLICY_TERMINATE_EXISTING,
	}, "Life", "completes", "second")
	if err != nil {
		return nil, err
	}
	found := []any{failed(taken), same.GetRunID() == first.GetRunID(), t.outcome(first), t.outcome(second)}
	for _, policy := range []enumspb.WorkflowIdReusePolicy{
		enumspb.WORKFLOW_ID_REUSE_POLICY_REJECT_DUPLICATE, enumspb.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE_FAILED_ONLY,
	} {
		_, err := t.start(client.StartWorkflowOptions{
			WorkflowIDReusePolicy: policy, WorkflowExecutionErrorWhenAlreadyStarted: true,
		}, "Life", "completes", 1)
		found = append(found, failed(err))
	}
	return found, nil
}
