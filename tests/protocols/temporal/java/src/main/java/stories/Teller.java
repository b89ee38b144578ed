package stories;

import io.temporal.api.common.v1.WorkflowExecution;
import io.temporal.api.enums.v1.EventType;
import io.temporal.api.history.v1.HistoryEvent;
import io.temporal.api.workflowservice.v1.DescribeWorkflowExecutionRequest;
import io.temporal.api.workflowservice.v1.DescribeWorkflowExecutionResponse;
import io.temporal.client.WorkflowClient;
import io.temporal.client.WorkflowOptions;
import io.temporal.client.WorkflowStub;
import io.temporal.failure.ActivityFailure;
import io.temporal.failure.ApplicationFailure;
import io.temporal.failure.ChildWorkflowFailure;
import io.temporal.failure.TimeoutFailure;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;

/** What a story has at hand: a client, names of its own, and a list of the runs that it started. */
final class Teller {
  final WorkflowClient client;
  final String name;
  final List<List<String>> runs = new ArrayList<>();

  Teller(WorkflowClient client, String name) {
    this.client = client;
    this.name = name;
  }

  /** A workflow id that only this story uses. */
  String id(String part) {
    return part.isEmpty() ? "java-" + name : "java-" + name + "-" + part;
  }

  WorkflowOptions.Builder options() {
    return WorkflowOptions.newBuilder()
        .setTaskQueue(Main.QUEUE)
        .setWorkflowId(id(""))
        .setWorkflowExecutionTimeout(Duration.ofSeconds(60));
  }

  /** Starts a run whose history belongs to the story. */
  WorkflowStub start(WorkflowOptions.Builder options, String workflow, Object... arguments) {
    WorkflowStub stub = client.newUntypedWorkflowStub(workflow, options.build());
    return noted(stub, stub.start(arguments));
  }

  WorkflowStub noted(WorkflowStub stub, WorkflowExecution execution) {
    runs.add(List.of(execution.getWorkflowId(), execution.getRunId()));
    return stub;
  }

  /** Starts a run and waits for its outcome. */
  Object run(WorkflowOptions.Builder options, String workflow, Object... arguments) {
    WorkflowStub stub = start(options, workflow, arguments);
    return outcome(() -> stub.getResult(Object.class));
  }

  WorkflowStub existing(String id) {
    return client.newUntypedWorkflowStub(id);
  }

  /** A result, or what failed and why, down to the first cause. */
  static Object outcome(Callable<?> call) {
    try {
      return call.call();
    } catch (Throwable error) {
      List<Object> chain = new ArrayList<>();
      for (Throwable each = error; each != null; each = each.getCause()) {
        chain.add(told(each));
      }
      return Map.of("failed", chain);
    }
  }

  private static Object told(Throwable error) {
    Map<String, Object> said = new LinkedHashMap<>();
    said.put("error", error.getClass().getSimpleName());
    if (error instanceof ApplicationFailure failure) {
      said.put("message", failure.getOriginalMessage());
      said.put("type", failure.getType());
      said.put("nonRetryable", failure.isNonRetryable());
    } else if (error instanceof ActivityFailure failure) {
      said.put("activity", failure.getActivityType());
      said.put("retryState", String.valueOf(failure.getRetryState()));
    } else if (error instanceof ChildWorkflowFailure failure) {
      said.put("workflow", failure.getWorkflowType());
      said.put("retryState", String.valueOf(failure.getRetryState()));
    } else if (error instanceof TimeoutFailure failure) {
      said.put("type", String.valueOf(failure.getTimeoutType()));
    }
    return said;
  }

  /** Waits until a run has these events, and nothing is under way in it. */
  void until(String id, EventType... kinds) throws InterruptedException {
    while (true) {
      List<EventType> have = new ArrayList<>();
      for (HistoryEvent event : client.fetchHistory(id).getEvents()) {
        have.add(event.getEventType());
      }
      boolean enough = true;
      for (EventType kind : kinds) {
        enough = enough && have.remove(kind);
      }
      if (enough && !describe(id).hasPendingWorkflowTask()) {
        return;
      }
      Thread.sleep(50);
    }
  }

  /** Waits until a run's first task is over, and nothing is under way in it. */
  void settled(String id) throws InterruptedException {
    until(id, EventType.EVENT_TYPE_WORKFLOW_TASK_COMPLETED);
  }

  DescribeWorkflowExecutionResponse describe(String id) {
    return client
        .getWorkflowServiceStubs()
        .blockingStub()
        .describeWorkflowExecution(
            DescribeWorkflowExecutionRequest.newBuilder()
                .setNamespace("default")
                .setExecution(WorkflowExecution.newBuilder().setWorkflowId(id))
                .build());
  }
}
