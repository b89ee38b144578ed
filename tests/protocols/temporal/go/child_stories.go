package main

import (
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"
)

func child(ctx workflow.Context, what string) (string, error) {
	ctx = workflow.WithActivityOptions(ctx, workflow.ActivityOptions{StartToCloseTimeout: time.Minute})
	switch what {
	case "greets":
		var greeting string
		err := workflow.ExecuteActivity(ctx, "Greet", "child").Get(ctx, &greeting)
		return "hello " + greeting, err
	case "fails":
		return "", temporal.NewApplicationError("a child's failure", "Childish", "detail")
	case "fails once":
		if workflow.GetInfo(ctx).Attempt == 1 {
			return "", temporal.NewApplicationError("the first attempt", "Once")
		}
		return "second attempt", nil
	case "continues":
		return "", workflow.NewContinueAsNewError(ctx, "Child", "greets")
	}
	if err := workflow.Await(ctx, func() bool { return workflow.GetSignalChannel(ctx, "tell").Len() > 0 }); err != nil {
		apart, _ := workflow.NewDisconnectedContext(ctx)
		_ = workflow.ExecuteActivity(apart, "Nothing").Get(apart, nil)
		return "", err
	}
	var told string
	workflow.GetSignalChannel(ctx, "tell").Receive(ctx, &told)
	return "told " + told, nil
}

// childOptions are what a story changes about a child.
type childOptions struct {
	Attempts int32
	Seconds  int
	Queue    string
	Wait     bool
	Policy   enumspb.ParentClosePolicy
	Memo     map[string]any
	Then     string
}

func parent(ctx workflow.Context, childID, what string, given childOptions) (any, error) {
	options := workflow.ChildWorkflowOptions{
		WorkflowID: childID, TaskQueue: given.Queue, WaitForCancellation: given.Wait, ParentClosePolicy: given.Policy,
		WorkflowRunTimeout: time.Duration(given.Seconds) * time.Second, Memo: given.Memo,
	}
	if given.Attempts > 0 {
		options.RetryPolicy = &temporal.RetryPolicy{InitialInterval: time.Second, MaximumAttempts: given.Attempts}
	}
	inner, cancel := workflow.WithCancel(workflow.WithChildOptions(ctx, options))
	running := workflow.ExecuteChildWorkflow(inner, "Child", what)
	switch given.Then {
	case "cancel":
		workflow.GetSignalChannel(ctx, "go").Receive(ctx, nil)
		cancel()
	case "leave":
		if err := running.GetChildWorkflowExecution().Get(ctx, nil); err != nil {
			return nil, err
		}
		workflow.GetSignalChannel(ctx, "go").Receive(ctx, nil)
		return "left", nil
	case "signal":
		if err := running.SignalChildWorkflow(ctx, "tell", "by the parent").Get(ctx, nil); err != nil {
			return nil, err
		}
	}
	var result any
	err := running.Get(ctx, &result)
	return result, err
}

func reaching(ctx workflow.Context, other, how string) (string, error) {
	var err error
	if how == "signal" {
		err = workflow.SignalExternalWorkflow(ctx, other, "", "tell", "by a stranger").Get(ctx, nil)
	} else {
		err = workflow.RequestCancelExternalWorkflow(ctx, other, "").Get(ctx, nil)
	}
	if err != nil {
		return err.Error(), nil
	}
	return "reached", nil
}

func addChildStories() {
	add := func(name, what string, options childOptions) {
		single(name, client.StartWorkflowOptions{}, "Parent", idOf("child"), the(what), the(options))
	}
	add("child", "greets", childOptions{Memo: map[string]any{"a": "memo"}})
	add("child-fails", "fails", childOptions{})
	add("child-retried", "fails once", childOptions{Attempts: 2})
	add("child-continues", "continues", childOptions{})
	add("child-times-out", "waits", childOptions{Seconds: 6})
	add("child-unknown-queue-times-out", "greets", childOptions{Seconds: 1, Queue: "go-nobody"})
	add("child-signalled-by-parent", "waits", childOptions{Then: "signal"})
	stories["child-cancel-wait"] = withChild("waits", childOptions{Then: "cancel", Wait: true}, goOn)
	stories["child-cancel-try"] = withChild("waits", childOptions{Then: "cancel", Policy: enumspb.PARENT_CLOSE_POLICY_ABANDON}, goOn)
	stories["child-left-to-terminate"] = withChild("waits", childOptions{Then: "leave", Policy: enumspb.PARENT_CLOSE_POLICY_TERMINATE}, goOn)
	stories["child-left-to-request-cancel"] = withChild("waits", childOptions{Then: "leave", Policy: enumspb.PARENT_CLOSE_POLICY_REQUEST_CANCEL}, goOn)
	stories["child-left-to-abandon"] = withChild("waits", childOptions{Then: "leave", Policy: enumspb.PARENT_CLOSE_POLICY_ABANDON},
		func(t *teller, run client.WorkflowRun) error {
			if err := goOn(t, run); err != nil {
				return err
			}
			_ = t.outcome(run)
			return t.SignalWorkflow(t.ctx, t.id("child"), "", "tell", "after the parent")
		})
	stories["child-terminated"] = withChild("waits", childOptions{}, func(t *teller, _ client.WorkflowRun) error {
		return t.TerminateWorkflow(t.ctx, t.id("child"), "", "no more of it")
	})
	stories["child-cancelled-with-parent"] = withChild("waits", childOptions{}, func(t *teller, run client.WorkflowRun) error {
		return t.CancelWorkflow(t.ctx, run.GetID(), "")
	})
	stories["child-of-taken-id"] = childOfTakenID
	stories["external-signal"] = reachingStory("signal")
	stories["external-cancel"] = reachingStory("cancel")
	stories["external-missing"] = func(t *teller) (any, error) {
		found := []any{}
		for _, how := range []string{"signal", "cancel"} {
			one, err := t.run(client.StartWorkflowOptions{ID: t.id(how)}, "Reaching", "go-nobody-of-this-id", how)
			if err != nil {
				return nil, err
			}
			found = append(found, one)
		}
		return found, nil
	}
}

func goOn(t *teller, run client.WorkflowRun) error {
	return t.SignalWorkflow(t.ctx, run.GetID(), "", "go", nil)
}

// withChild is a story of something that happens while a child runs, and of how both end.
func withChild(what string, options childOptions, then func(*teller, client.WorkflowRun) error) func(*teller) (any, error) {
	return func(t *teller) (any, error) {
		run, err := t.start(client.StartWorkflowOptions{}, "Parent", t.id("child"), what, options)
		if err != nil {
			return nil, err
		}
		if err := t.until(run.GetID(), "", enumspb.EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_STARTED); err != nil {
			return nil, err
		}
		if err := t.until(t.id("child"), "", enumspb.EVENT_TYPE_WORKFLOW_TASK_COMPLETED); err != nil {
			return nil, err
		}
		if err := then(t, run); err != nil {
			return nil, err
		}
		return []any{t.outcome(run), t.outcome(t.GetWorkflow(t.ctx, t.id("child"), ""))}, nil
	}
}

func childOfTakenID(t *teller) (any, error) {
	taken, err := t.start(client.StartWorkflowOptions{ID: t.id("child")}, "Child", "waits")
	if err != nil {
		return nil, err
	}
	if err := t.settled(taken); err != nil {
		return nil, err
	}
	found, err := t.run(client.StartWorkflowOptions{}, "Parent", t.id("child"), "waits", childOptions{})
	if err != nil {
		return nil, err
	}
	err = t.SignalWorkflow(t.ctx, t.id("child"), "", "tell", "go")
	return []any{found, t.outcome(taken)}, err
}

func reachingStory(how string) func(*teller) (any, error) {
	return func(t *teller) (any, error) {
		other, err := t.start(client.StartWorkflowOptions{ID: t.id("other")}, "Child", "waits")
		if err != nil {
			return nil, err
		}
		if err := t.settled(other); err != nil {
			return nil, err
		}
		found, err := t.run(client.StartWorkflowOptions{}, "Reaching", other.GetID(), how)
		return []any{found, t.outcome(other)}, err
	}
}

// across calls an activity and a child that workers of another task queue serve.
func across(ctx workflow.Context, queue, activity, childType, word string) ([]string, error) {
	ctx = workflow.WithActivityOptions(ctx, workflow.ActivityOptions{TaskQueue: queue, StartToCloseTimeout: time.Minute})
	ctx = workflow.WithChildOptions(ctx, workflow.ChildWorkflowOptions{TaskQueue: queue})
	var first, second string
	if err := workflow.ExecuteActivity(ctx, activity, word).Get(ctx, &first); err != nil {
		return nil, err
	}
	err := workflow.ExecuteChildWorkflow(ctx, childType, word).Get(ctx, &second)
	return []string{first, second}, err
}
