package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/temporal"
)

// activities are those of all stories, by name.
var activities = map[string]any{
	"Greet":               greet,
	"Nothing":             nothing,
	"ThirdTime":           thirdTime,
	"AlwaysFails":         alwaysFails,
	"FailsForGood":        failsForGood,
	"FailsWithDelay":      failsWithDelay,
	"Panics":              panics,
	"Sleeps":              sleeps,
	"HangsAfterHeartbeat": hangsAfterHeartbeat,
	"FailsAfterHeartbeat": failsAfterHeartbeat,
	"UntilCancelled":      untilCancelled,
	"Elsewhere":           elsewhere,
	"AboutMe":             aboutMe,
}

func greet(_ context.Context, name string) (string, error) { return "hello " + name, nil }

func nothing(context.Context) error { return nil }

func thirdTime(ctx context.Context, what string) (string, error) {
	attempt := activity.GetInfo(ctx).Attempt
	if attempt < 3 {
		return "", temporal.NewApplicationError(fmt.Sprintf("not yet: %d", attempt), "NotYet", map[string]any{"attempt": attempt})
	}
	return fmt.Sprintf("%s at attempt %d", what, attempt), nil
}

func alwaysFails(_ context.Context, message string) error {
	root := errors.New("the root of it")
	return temporal.NewApplicationErrorWithCause(message, "Broken", fmt.Errorf("in between: %w", root), "detail", 7)
}

func failsForGood(context.Context) error {
	return temporal.NewNonRetryableApplicationError("no use", "Hopeless", nil)
}

func failsWithDelay(ctx context.Context) (string, error) {
	if activity.GetInfo(ctx).Attempt == 1 {
		return "", temporal.NewApplicationErrorWithOptions("soon", "Later",
			temporal.ApplicationErrorOptions{NextRetryDelay: 200 * time.Millisecond})
	}
	return "after the delay", nil
}

func panics(context.Context) error { panic("a bug") }

func sleeps(ctx context.Context, seconds float64) (string, error) {
	select {
	case <-ctx.Done():
	case <-time.After(time.Duration(seconds * float64(time.Second))):
	}
	return "slept", nil
}

func hangsAfterHeartbeat(ctx context.Context, detail string) (string, error) {
	if activity.GetInfo(ctx).Attempt > 1 {
		var found string
		err := activity.GetHeartbeatDetails(ctx, &found)
		return "found " + found, err
	}
	activity.RecordHeartbeat(ctx, detail)
	select {
	case <-ctx.Done():
	case <-time.After(30 * time.Second):
	}
	return "never", nil
}

func failsAfterHeartbeat(ctx context.Context) (string, error) {
	if activity.GetInfo(ctx).Attempt > 1 {
		var found string
		err := activity.GetHeartbeatDetails(ctx, &found)
		return found, err
	}
	activity.RecordHeartbeat(ctx, "so far")
	return "", errors.New("again, please")
}

func untilCancelled(ctx context.Context, how string) (string, error) {
	for {
		select {
		case <-ctx.Done():
			switch how {
			case "completes":
				return "completed in spite of it", nil
			case "fails":
				return "", temporal.NewNonRetryableApplicationError("failed on cancel", "Cleanup", nil)
			}
			return "", temporal.NewCanceledError("cleaned up")
		case <-time.After(100 * time.Millisecond):
			activity.RecordHeartbeat(ctx, "alive")
		}
	}
}

// tokens are those of activities that are completed from elsewhere, by workflow id.
var tokens sync.Map

func elsewhere(ctx context.Context) (string, error) {
	info := activity.GetInfo(ctx)
	tokens.Store(info.WorkflowExecution.ID, info.TaskToken)
	return "", activity.ErrResultPending
}

func aboutMe(ctx context.Context) (map[string]any, error) {
	info := activity.GetInfo(ctx)
	return map[string]any{
		"id":             info.ActivityID,
		"type":           info.ActivityType.Name,
		"attempt":        info.Attempt,
		"queue":          info.TaskQueue,
		"namespace":      info.Namespace,
		"workflow":       info.WorkflowType.Name,
		"workflow_id":    info.WorkflowExecution.ID,
		"start_to_close": info.StartToCloseTimeout.String(),
		"heartbeat":      info.HeartbeatTimeout.String(),
		"priority":       []any{info.Priority.PriorityKey, info.Priority.FairnessKey, info.Priority.FairnessWeight},
	}, nil
}
