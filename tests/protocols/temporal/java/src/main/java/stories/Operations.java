package stories;

import io.nexusrpc.Operation;
import io.nexusrpc.OperationException;
import io.nexusrpc.Service;
import io.nexusrpc.handler.HandlerException;
import io.nexusrpc.handler.OperationHandler;
import io.nexusrpc.handler.OperationImpl;
import io.nexusrpc.handler.ServiceImpl;
import io.temporal.client.WorkflowOptions;
import io.temporal.nexus.Nexus;
import io.temporal.nexus.WorkflowHandle;
import io.temporal.nexus.WorkflowRunOperation;
import io.temporal.workflow.CancellationScope;
import io.temporal.workflow.NexusOperationCancellationType;
import io.temporal.workflow.NexusOperationHandle;
import io.temporal.workflow.NexusOperationOptions;
import io.temporal.workflow.NexusServiceOptions;
import io.temporal.workflow.NexusServiceStub;
import io.temporal.workflow.SignalMethod;
import io.temporal.workflow.Workflow;
import io.temporal.workflow.WorkflowInterface;
import io.temporal.workflow.WorkflowMethod;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;

/** Operations that others ask for by an endpoint, and a workflow that does. */
public final class Operations {
  private Operations() {}

  /** The workflow id of the run that an operation is, and what that run does. */
  public record Work(String id, String what) {}

  @Service(name = "Greeter")
  public interface Greeter {
    @Operation
    String greet(String name);

    @Operation
    String work(Work work);
  }

  @ServiceImpl(service = Greeter.class)
  public static class GreeterOfStory {
    @OperationImpl
    public OperationHandler<String, String> greet() {
      return OperationHandler.sync(
          (context, details, name) -> {
            switch (name) {
              case "a failure":
                throw OperationException.failure(new IllegalStateException("not today"));
              case "a bad request":
                throw new HandlerException(
                    HandlerException.ErrorType.BAD_REQUEST, new IllegalStateException("what?"));
              default:
                return "hello " + name;
            }
          });
    }

    @OperationImpl
    public OperationHandler<Work, String> work() {
      return WorkflowRunOperation.fromWorkflowHandle(
          (context, details, work) -> {
            WorkflowOptions options =
                WorkflowOptions.newBuilder()
                    .setTaskQueue(Main.QUEUE)
                    .setWorkflowId(work.id())
                    .setWorkflowExecutionTimeout(Duration.ofSeconds(60))
                    .build();
            Workflows.Child child =
                Nexus.getOperationContext().getWorkflowClient().newWorkflowStub(Workflows.Child.class, options);
            return WorkflowHandle.fromWorkflowMethod(child::run, work.what());
          });
    }
  }

  @WorkflowInterface
  public interface Asking {
    @WorkflowMethod(name = "Asking")
    String run(String endpoint, Work work, String how);

    @SignalMethod
    void go();
  }

  public static class AskingOfStory implements Asking {
    private boolean told;

    @Override
    public void go() {
      told = true;
    }

    /** Asks for the run that an operation is, or, without an id, for a greeting; how may say when it is called off. */
    @Override
    public String run(String endpoint, Work work, String how) {
      NexusOperationOptions.Builder options = NexusOperationOptions.newBuilder();
      switch (how) {
        case "waits" -> options.setScheduleToCloseTimeout(Duration.ofSeconds(50));
        case "in a second" -> options.setScheduleToCloseTimeout(Duration.ofSeconds(1));
        default -> options.setCancellationType(NexusOperationCancellationType.valueOf(how));
      }
      NexusServiceStub greeter =
          Workflow.newUntypedNexusServiceStub(
              "Greeter",
              NexusServiceOptions.newBuilder()
                  .setEndpoint(endpoint)
                  .setOperationOptions(options.build())
                  .build());
      if (work.id().isEmpty()) {
        return greeter.execute("greet", String.class, work.what());
      }
      List<NexusOperationHandle<String>> asked = new ArrayList<>();
      CancellationScope scope =
          Workflow.newCancellationScope(() -> asked.add(greeter.start("work", String.class, work)));
      scope.run();
      asked.get(0).getExecution().get();
      if (!how.equals("waits")) {
        Workflow.await(() -> told);
        scope.cancel();
      }
      return asked.get(0).getResult().get();
    }
  }
}
