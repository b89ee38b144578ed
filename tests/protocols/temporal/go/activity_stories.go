package main

import (
	"errors"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"
)

func retrying(attempts int32) *temporal.RetryPolicy {
	return &temporal.RetryPolicy{
		InitialInterval: 50 * time.Millisecond, MaximumInterval: 100 * time.Millisecond, MaximumAttempts: attempts,
	}
}

// activityOptions are named, so that one workflow serves most stories.
func activityOptions(name string) workflow.ActivityOptions {
	options := workflow.ActivityOptions{StartToCloseTimeout: time.Minute, RetryPolicy: retrying(0)}
	switch name {
	case "plain":
		options.RetryPolicy = nil
	case "once":
		options.RetryPolicy = retrying(1)
	case "twice":
		options.RetryPolicy = retrying(2)
	case "known-type":
		options.RetryPolicy.NonRetryableErrorTypes = []string{"Broken"}
	case "nobody":
		options.ScheduleToStartTimeout = time.Second
		options.TaskQueue = "go-nobody"
	case "short":
		options.StartToCloseTimeout = time.Second
		options.RetryPolicy = retrying(1)
	case "short-twice":
		options.StartToCloseTimeout = time.Second
		options.RetryPolicy = retrying(2)
	case "short-in-all":
		options.ScheduleToCloseTimeout = 2 * time.Second
		options.RetryPolicy = &temporal.RetryPolicy{InitialInterval: 3 * time.Second}
	case "short-for-one":
		options.ScheduleToCloseTimeout = time.Second
	case "heartbeat":
		options.HeartbeatTimeout = time.Second
		options.RetryPolicy = retrying(1)
	case "heartbeat-twice":
		options.HeartbeatTimeout = time.Second
		options.RetryPolicy = retrying(2)
	case "priority":
		options.Priority = temporal.Priority{PriorityKey: 2, FairnessKey: "tenant", FairnessWeight: 2.5}
		options.Summary = "what it is for"
		options.ActivityID = "my-id"
	case "elsewhere":
		options.HeartbeatTimeout = time.Minute
		options.RetryPolicy = retrying(1)
	}
	return options
}

func oneActivity(ctx workflow.Context, activity, options string, args []any) (any, error) {
	var result any
	err := workflow.ExecuteActivity(workflow.WithActivityOptions(ctx, activityOptions(options)), activity, args...).Get(ctx, &result)
	return result, err
}

func cancelledActivity(ctx workflow.Context, wait bool, how string) (string, error) {
	inner, cancel := workflow.WithCancel(ctx)
	inner = workflow.WithActivityOptions(inner, workflow.ActivityOptions{
		StartToCloseTimeout: time.Minute, HeartbeatTimeout: 2 * time.Second, WaitForCancellation: wait,
	})
	running := workflow.ExecuteActivity(inner, "UntilCancelled", how)
	workflow.GetSignalChannel(ctx, "go").Receive(ctx, nil)
	cancel()
	var result string
	err := running.Get(ctx, &result)
	return result, err
}

func unstartedCancelled(ctx workflow.Context) (string, error) {
	inner, cancel := workflow.WithCancel(ctx)
	inner = workflow.WithActivityOptions(inner, workflow.ActivityOptions{StartToCloseTimeout: time.Minute, TaskQueue: "go-nobody"})
	waiting := workflow.ExecuteActivity(inner, "Nothing")
	if err := workflow.Sleep(ctx, 100*time.Millisecond); err != nil {
		return "", err
	}
	cancel()
	err := waiting.Get(ctx, nil)
	var cancelled *temporal.CanceledError
	if errors.As(err, &cancelled) {
		return "cancelled", nil
	}
	return "not cancelled", err
}

func twoInTurn(ctx workflow.Context) ([]string, error) {
	ctx = workflow.WithActivityOptions(ctx, workflow.ActivityOptions{StartToCloseTimeout: time.Minute})
	results := []string{}
	for _, name := range []string{"one", "two"} {
		var result string
		if err := workflow.ExecuteActivity(ctx, "Greet", name).Get(ctx, &result); err != nil {
			return nil, err
		}
		results = append(results, result)
	}
	return results, nil
}

func addActivityStories() {
	add := func(name, activity, options string, args ...any) {
		single(name, client.StartWorkflowOptions{}, "OneActivity", the(activity), the(options), the(append([]any{}, args...)))
	}
	add("activity", "Greet", "plain", "world")
	add("activity-without-result", "Nothing", "plain")
	add("activity-info", "AboutMe", "priority")
	add("activity-retry", "ThirdTime", "quick", "done")
	add("activity-fails", "AlwaysFails", "once", "out of luck")
	add("activity-fails-for-good", "FailsForGood", "quick")
	add("activity-non-retryable-type", "AlwaysFails", "known-type", "a known kind")
	add("activity-maximum-attempts", "AlwaysFails", "twice", "twice is enough")
	add("activity-panics", "Panics", "once")
	add("activity-schedule-to-start-timeout", "Greet", "nobody", "anybody")
	add("activity-start-to-close-timeout", "Sleeps", "short", 8)
	add("activity-start-to-close-timeout-twice", "Sleeps", "short-twice", 8)
	add("activity-schedule-to-close-timeout", "Sleeps", "short-for-one", 8)
	add("activity-without-time-to-retry", "AlwaysFails", "short-in-all", "no time left")
	add("activity-heartbeat-timeout", "HangsAfterHeartbeat", "heartbeat", "last")
	add("activity-heartbeat-timeout-then-details", "HangsAfterHeartbeat", "heartbeat-twice", "last")
	add("activity-heartbeat-details", "FailsAfterHeartbeat", "quick")
	add("activity-next-retry-delay", "FailsWithDelay", "plain")
	add("activity-unknown", "NoSuchActivity", "once")
	single("activities-in-turn", client.StartWorkflowOptions{}, "TwoInTurn")
	single("activity-cancelled-before-start", client.StartWorkflowOptions{}, "UnstartedCancelled")
	for _, how := range []string{"stops", "completes", "fails"} {
		stories["activity-cancel-wait-"+how] = cancelledStory(true, how)
	}
	stories["activity-cancel-try-stops"] = cancelledStory(false, "stops")
	stories["activity-completed-by-token"] = completedByToken
	stories["activity-completed-by-id"] = completedByID
	stories["activity-failed-by-id"] = failedByID
	stories["activity-cancelled-by-id"] = cancelledByID
}

func cancelledStory(wait bool, how string) func(*teller) (any, error) {
	return func(t *teller) (any, error) {
		run, err := t.start(client.StartWorkflowOptions{}, "CancelledActivity", wait, how)
		if err != nil {
			return nil, err
		}
		if err := t.activityStarted(run); err != nil {
			return nil, err
		}
		if err := t.SignalWorkflow(t.ctx, run.GetID(), run.GetRunID(), "go", nil); err != nil {
			return nil, err
		}
		return t.outcome(run), nil
	}
}

// activityStarted waits until the run's activity is with a worker.
func (t *teller) activityStarted(run client.WorkflowRun) error {
	if err := t.until(run.GetID(), run.GetRunID(), enumspb.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED); err != nil {
		return err
	}
	return t.eventually(func() (bool, error) {
		found, err := t.DescribeWorkflowExecution(t.ctx, run.GetID(), run.GetRunID())
		if err != nil {
			return false, err
		}
		pending := found.GetPendingActivities()
		return len(pending) > 0 && pending[0].GetState() == enumspb.PENDING_ACTIVITY_STATE_STARTED, nil
	})
}

// left is a run whose activity waits to be completed, and its token.
func left(t *teller) (client.WorkflowRun, []byte, error) {
	run, err := t.start(client.StartWorkflowOptions{}, "OneActivity", "Elsewhere", "elsewhere", []any{})
	if err != nil {
		return nil, nil, err
	}
	if err := t.activityStarted(run); err != nil {
		return nil, nil, err
	}
	var token []byte
	err = t.eventually(func() (bool, error) {
		found, there := tokens.Load(run.GetID())
		if there {
			token = found.([]byte)
		}
		return there, nil
	})
	return run, token, err
}

func completedByToken(t *teller) (any, error) {
	run, token, err := left(t)
	if err != nil {
		return nil, err
	}
	if err := t.RecordActivityHeartbeat(t.ctx, token, "half way"); err != nil {
		return nil, err
	}
	if err := t.CompleteActivity(t.ctx, token, "from elsewhere", nil); err != nil {
		return nil, err
	}
	result := t.outcome(run)
	return []any{result, failed(t.CompleteActivity(t.ctx, token, "again", nil))}, nil
}

func completedByID(t *teller) (any, error) {
	run, _, err := left(t)
	if err != nil {
		return nil, err
	}
	activityID, err := t.onlyActivity(run)
	if err != nil {
		return nil, err
	}
	if err := t.RecordActivityHeartbeatByID(t.ctx, "default", run.GetID(), run.GetRunID(), activityID, "half way"); err != nil {
		return nil, err
	}
	err = t.CompleteActivityByID(t.ctx, "default", run.GetID(), run.GetRunID(), activityID, map[string]any{"by": "id"}, nil)
	return t.outcome(run), err
}

func (t *teller) onlyActivity(run client.WorkflowRun) (string, error) {
	found, err := t.DescribeWorkflowExecution(t.ctx, run.GetID(), run.GetRunID())
	if err != nil {
		return "", err
	}
	return found.GetPendingActivities()[0].GetActivityId(), nil
}

func failedByID(t *teller) (any, error) {
	run, _, err := left(t)
	if err != nil {
		return nil, err
	}
	activityID, err := t.onlyActivity(run)
	if err != nil {
		return nil, err
	}
	failure := temporal.NewApplicationError("from elsewhere", "Elsewhere", "why")
	err = t.CompleteActivityByID(t.ctx, "default", run.GetID(), run.GetRunID(), activityID, nil, failure)
	return t.outcome(run), err
}

func cancelledByID(t *teller) (any, error) {
	run, _, err := left(t)
	if err != nil {
		return nil, err
	}
	activityID, err := t.onlyActivity(run)
	if err != nil {
		return nil, err
	}
	cancelled := func() error {
		return t.CompleteActivityByID(t.ctx, "default", run.GetID(), run.GetRunID(), activityID, nil, temporal.NewCanceledError("done"))
	}
	early := cancelled()
	if err := t.CancelWorkflow(t.ctx, run.GetID(), run.GetRunID()); err != nil {
		return nil, err
	}
	return []any{failed(early), t.outcome(run)}, nil
}
