package main

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/nexus-rpc/sdk-go/nexus"
	enumspb "go.temporal.io/api/enums/v1"
	nexuspb "go.temporal.io/api/nexus/v1"
	"go.temporal.io/api/operatorservice/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporalnexus"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"
)

const (
	endpoint       = "go-endpoint"
	nobodyEndpoint = "go-nobodys-endpoint"
)

// work is an operation's input: the workflow id of the run that it is, and what that run does.
type work struct{ ID, What string }

var greets = nexus.NewSyncOperation("greet", func(_ context.Context, name string, _ nexus.StartOperationOptions) (string, error) {
	switch name {
	case "a failure":
		return "", nexus.NewOperationFailedErrorf("not today")
	case "a cancellation":
		return "", nexus.NewOperationCanceledErrorf("called off")
	case "a bad request":
		return "", nexus.NewHandlerErrorf(nexus.HandlerErrorTypeBadRequest, "what?")
	}
	return "hello " + name, nil
})

var works = temporalnexus.MustNewWorkflowRunOperationWithOptions(temporalnexus.WorkflowRunOperationOptions[work, string]{
	Name: "work",
	Handler: func(ctx context.Context, input work, o nexus.StartOperationOptions) (temporalnexus.WorkflowHandle[string], error) {
		options := client.StartWorkflowOptions{ID: input.ID, TaskQueue: queue, WorkflowExecutionTimeout: time.Minute}
		return temporalnexus.ExecuteUntypedWorkflow[string](ctx, o, options, "Child", input.What)
	},
})

func registerOperations(w worker.Worker) {
	service := nexus.NewService("Greeter")
	if err := service.Register(greets, works); err != nil {
		panic(err)
	}
	w.RegisterNexusService(service)
}

// asking asks for one operation; with how, it is called off once the run is told to, if that is not "waits".
func asking(ctx workflow.Context, where, operation string, input any, how string) (any, error) {
	options := workflow.NexusOperationOptions{CancellationType: workflow.NexusOperationCancellationTypeWaitCompleted}
	switch how {
	case "in a second":
		options.ScheduleToCloseTimeout = time.Second
	case "try":
		options.CancellationType = workflow.NexusOperationCancellationTypeTryCancel
	case "wait-requested":
		options.CancellationType = workflow.NexusOperationCancellationTypeWaitRequested
	case "abandon":
		options.CancellationType = workflow.NexusOperationCancellationTypeAbandon
	}
	inner, cancel := workflow.WithCancel(ctx)
	running := workflow.NewNexusClient(where, "Greeter").ExecuteOperation(inner, operation, input, options)
	switch how {
	case "abandon", "try", "wait-requested", "wait-completed":
		if err := running.GetNexusOperationExecution().Get(ctx, nil); err != nil {
			return nil, err
		}
		workflow.GetSignalChannel(ctx, "go").Receive(ctx, nil)
		cancel()
	}
	var result any
	err := running.Get(ctx, &result)
	return result, err
}

var makeEndpoints sync.Once

// endpoints sees that those of the stories are there.
func endpoints(t *teller) (err error) {
	makeEndpoints.Do(func() {
		for name, queue := range map[string]string{endpoint: queue, nobodyEndpoint: "go-nobody"} {
			target := &nexuspb.EndpointTarget{Variant: &nexuspb.EndpointTarget_Worker_{
				Worker: &nexuspb.EndpointTarget_Worker{Namespace: "default", TaskQueue: queue},
			}}
			_, failed := t.OperatorService().CreateNexusEndpoint(t.ctx, &operatorservice.CreateNexusEndpointRequest{
				Spec: &nexuspb.EndpointSpec{Name: name, Target: target},
			})
			if there := (*serviceerror.AlreadyExists)(nil); failed != nil && !errors.As(failed, &there) {
				err = failed
			}
		}
	})
	return err
}

// asks is a story of one operation.
func asks(name, where, operation, input, how string) {
	stories[name] = func(t *teller) (any, error) {
		if err := endpoints(t); err != nil {
			return nil, err
		}
		return t.run(client.StartWorkflowOptions{}, "Asking", where, operation, input, how)
	}
}

// employs is a story of an operation that is a run; then is what happens once that run waits.
func employs(name, what, how string, then func(t *teller, asked client.WorkflowRun) error) {
	stories[name] = func(t *teller) (any, error) {
		if err := endpoints(t); err != nil {
			return nil, err
		}
		id := t.id("work")
		asked, err := t.start(client.StartWorkflowOptions{}, "Asking", endpoint, "work", work{id, what}, how)
		if err != nil {
			return nil, err
		}
		if then != nil {
			err := t.until(asked.GetID(), asked.GetRunID(), enumspb.EVENT_TYPE_NEXUS_OPERATION_STARTED)
			if err != nil {
				return nil, err
			}
			if err := t.until(id, "", enumspb.EVENT_TYPE_WORKFLOW_TASK_COMPLETED); err != nil {
				return nil, err
			}
			if err := then(t, asked); err != nil {
				return nil, err
			}
		}
		found := t.outcome(asked)
		return []any{found, t.outcome(t.GetWorkflow(t.ctx, id, ""))}, nil
	}
}

func tellWork(t *teller, _ client.WorkflowRun) error {
	return t.SignalWorkflow(t.ctx, t.id("work"), "", "tell", "what to do")
}

func addNexusStories() {
	asks("nexus", endpoint, "greet", "you", "waits")
	asks("nexus-fails", endpoint, "greet", "a failure", "waits")
	asks("nexus-is-cancelled", endpoint, "greet", "a cancellation", "waits")
	asks("nexus-bad-request", endpoint, "greet", "a bad request", "waits")
	asks("nexus-unknown-operation", endpoint, "unheard-of", "you", "waits")
	asks("nexus-schedule-to-close-timeout", nobodyEndpoint, "greet", "you", "in a second")
	employs("nexus-workflow", "greets", "waits", nil)
	employs("nexus-workflow-fails", "fails", "waits", nil)
	employs("nexus-workflow-continues", "continues", "waits", nil)
	employs("nexus-workflow-told", "waits", "waits", tellWork)
	employs("nexus-workflow-terminated", "waits", "waits", func(t *teller, _ client.WorkflowRun) error {
		return t.TerminateWorkflow(t.ctx, t.id("work"), "", "enough")
	})
	employs("nexus-caller-cancelled", "waits", "waits", func(t *teller, asked client.WorkflowRun) error {
		return t.CancelWorkflow(t.ctx, asked.GetID(), "")
	})
	employs("nexus-cancel-wait-completed", "waits", "wait-completed", goOn)
	employs("nexus-cancel-wait-requested", "waits", "wait-requested", goOn)
	employs("nexus-cancel-try", "waits", "try", goOn)
	employs("nexus-cancel-abandon", "waits", "abandon", func(t *teller, asked client.WorkflowRun) error {
		if err := goOn(t, asked); err != nil {
			return err
		}
		_ = t.outcome(asked)
		return tellWork(t, asked) // whom nobody cancels
	})
}
