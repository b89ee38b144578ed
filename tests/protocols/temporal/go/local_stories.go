package main

import (
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"
)

var (
	keyword  = temporal.NewSearchAttributeKeyKeyword("StoryKeyword")
	number   = temporal.NewSearchAttributeKeyInt64("StoryInt")
	keywords = temporal.NewSearchAttributeKeyKeywordList("StoryKeywords")
)

func localActivity(ctx workflow.Context, name, options string, args []any) (any, error) {
	retry := map[string]*temporal.RetryPolicy{
		"plain": {MaximumAttempts: 1},
		"quick": {InitialInterval: 10 * time.Millisecond, MaximumInterval: 20 * time.Millisecond},
		// A wait that is longer than the workflow task's timeout becomes a timer.
		"slow": {InitialInterval: 1500 * time.Millisecond, BackoffCoefficient: 1},
	}[options]
	ctx = workflow.WithLocalActivityOptions(ctx, workflow.LocalActivityOptions{StartToCloseTimeout: time.Minute, RetryPolicy: retry})
	var result any
	err := workflow.ExecuteLocalActivity(ctx, name, args...).Get(ctx, &result)
	return result, err
}

func timers(ctx workflow.Context) ([]string, error) {
	options := workflow.TimerOptions{Summary: "a nap"}
	if err := workflow.NewTimerWithOptions(ctx, 100*time.Millisecond, options).Get(ctx, nil); err != nil {
		return nil, err
	}
	fired := []string{}
	wait := workflow.NewWaitGroup(ctx)
	for _, each := range []struct {
		name  string
		after time.Duration
	}{{"later", 2 * time.Second}, {"sooner", 100 * time.Millisecond}} {
		wait.Add(1)
		workflow.Go(ctx, func(ctx workflow.Context) {
			defer wait.Done()
			_ = workflow.Sleep(ctx, each.after)
			fired = append(fired, each.name)
		})
	}
	wait.Wait(ctx)
	return fired, nil
}

func timerCancelled(ctx workflow.Context) (string, error) {
	told := false
	inner, cancel := workflow.WithCancel(ctx)
	timer := workflow.NewTimer(inner, time.Minute)
	selector := workflow.NewSelector(ctx)
	selector.AddReceive(workflow.GetSignalChannel(ctx, "tell"), func(c workflow.ReceiveChannel, _ bool) {
		c.Receive(ctx, nil)
		told = true
	})
	selector.AddFuture(timer, func(workflow.Future) {})
	selector.Select(ctx)
	cancel()
	return map[bool]string{true: "told in time", false: "too late"}[told], nil
}

// chances records what a program took from outside: side effects, mutable ones, and versions.
func chances(ctx workflow.Context) ([]any, error) {
	var first, second, third int
	if err := workflow.SideEffect(ctx, func(workflow.Context) any { return 42 }).Get(&first); err != nil {
		return nil, err
	}
	same := func(a, b any) bool { return a == b }
	for index, value := range []int{1, 1, 2} {
		found := workflow.MutableSideEffect(ctx, "setting", func(workflow.Context) any { return value }, same)
		if err := found.Get([]*int{&second, &second, &third}[index]); err != nil {
			return nil, err
		}
		if err := workflow.Sleep(ctx, 20*time.Millisecond); err != nil {
			return nil, err
		}
	}
	return []any{first, second, third}, nil
}

func versions(ctx workflow.Context) ([]any, error) {
	found := []any{workflow.GetVersion(ctx, "first", workflow.DefaultVersion, 2)}
	if err := workflow.Sleep(ctx, 50*time.Millisecond); err != nil {
		return nil, err
	}
	found = append(found, workflow.GetVersion(ctx, "first", workflow.DefaultVersion, 2))
	return append(found, workflow.GetVersion(ctx, "second", 1, 1)), nil
}

func attributes(ctx workflow.Context) ([]any, error) {
	err := workflow.UpsertTypedSearchAttributes(ctx, keyword.ValueSet("changed"), number.ValueUnset(), keywords.ValueSet([]string{"a", "b"}))
	if err != nil {
		return nil, err
	}
	if err := workflow.UpsertMemo(ctx, map[string]any{"added": []int{1, 2}, "kept": nil}); err != nil {
		return nil, err
	}
	if err := workflow.Sleep(ctx, 50*time.Millisecond); err != nil {
		return nil, err
	}
	value, there := workflow.GetTypedSearchAttributes(ctx).GetKeyword(keyword)
	return []any{value, there, len(workflow.GetInfo(ctx).Memo.GetFields())}, nil
}

func addLocalStories() {
	plain := client.StartWorkflowOptions{}
	single("local-activity", plain, "LocalActivity", the("Greet"), the("plain"), the([]any{"nearby"}))
	single("local-activity-retry", plain, "LocalActivity", the("ThirdTime"), the("quick"), the([]any{"done"}))
	single("local-activity-fails", plain, "LocalActivity", the("AlwaysFails"), the("plain"), the([]any{"out of luck"}))
	single("local-activity-retry-with-timer", client.StartWorkflowOptions{WorkflowTaskTimeout: time.Second},
		"LocalActivity", the("ThirdTime"), the("slow"), the([]any{"done"}))
	single("timers", plain, "Timers")
	single("side-effects", plain, "Chances")
	single("versions", plain, "Versions")
	single("search-attributes-and-memo", client.StartWorkflowOptions{
		TypedSearchAttributes: temporal.NewSearchAttributes(keyword.ValueSet("given"), number.ValueSet(7)),
		Memo:                  map[string]any{"kept": "for now", "still": map[string]any{"deep": true}},
		StaticSummary:         "a summary",
		StaticDetails:         "details",
	}, "Attributes")
	stories["timer-cancelled"] = func(t *teller) (any, error) {
		run, err := t.start(plain, "TimerCancelled")
		if err != nil {
			return nil, err
		}
		if err := t.until(run.GetID(), run.GetRunID(), enumspb.EVENT_TYPE_TIMER_STARTED); err != nil {
			return nil, err
		}
		if err := t.SignalWorkflow(t.ctx, run.GetID(), "", "tell", nil); err != nil {
			return nil, err
		}
		return t.outcome(run), nil
	}
}
