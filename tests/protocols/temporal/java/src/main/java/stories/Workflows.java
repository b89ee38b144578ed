package stories;

import io.temporal.activity.ActivityCancellationType;
import io.temporal.activity.ActivityOptions;
import io.temporal.activity.LocalActivityOptions;
import io.temporal.api.common.v1.WorkflowExecution;
import io.temporal.api.enums.v1.ParentClosePolicy;
import io.temporal.common.RetryOptions;
import io.temporal.common.SearchAttributeKey;
import io.temporal.failure.ApplicationFailure;
import io.temporal.failure.CanceledFailure;
import io.temporal.workflow.Async;
import io.temporal.workflow.CancellationScope;
import io.temporal.workflow.ChildWorkflowCancellationType;
import io.temporal.workflow.ChildWorkflowOptions;
import io.temporal.workflow.ChildWorkflowStub;
import io.temporal.workflow.Promise;
import io.temporal.workflow.QueryMethod;
import io.temporal.workflow.SignalMethod;
import io.temporal.workflow.UpdateMethod;
import io.temporal.workflow.UpdateValidatorMethod;
import io.temporal.workflow.Workflow;
import io.temporal.workflow.WorkflowInterface;
import io.temporal.workflow.WorkflowMethod;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/** The workflows of all stories. */
final class Workflows {
  static final Duration LONG = Duration.ofSeconds(60);
  static final Class<?>[] ALL = {
    OneActivityWorkflow.class, CancelledActivityWorkflow.class, LocalWorkflow.class, NotesWorkflow.class,
    MailboxWorkflow.class, ChildOfStory.class, ParentOfStory.class, ReachingWorkflow.class, LifeWorkflow.class,
    Operations.AskingOfStory.class,
  };

  private Workflows() {}

  static RetryOptions attempts(int maximum) {
    return RetryOptions.newBuilder().setInitialInterval(Duration.ofMillis(50)).setMaximumAttempts(maximum).build();
  }

  /** Activity options by name, so that one workflow serves most stories. */
  static ActivityOptions options(String name) {
    ActivityOptions.Builder options = ActivityOptions.newBuilder();
    switch (name) {
      case "quick" -> options.setStartToCloseTimeout(LONG).setRetryOptions(attempts(0));
      case "once" -> options.setStartToCloseTimeout(LONG).setRetryOptions(attempts(1));
      case "twice" -> options.setStartToCloseTimeout(LONG).setRetryOptions(attempts(2));
      case "nobody" ->
          options
              .setScheduleToStartTimeout(Duration.ofSeconds(1))
              .setScheduleToCloseTimeout(LONG)
              .setTaskQueue("java-nobody");
      case "short" -> options.setStartToCloseTimeout(Duration.ofSeconds(1)).setRetryOptions(attempts(1));
      case "short-for-one" -> options.setScheduleToCloseTimeout(Duration.ofSeconds(1));
      case "heartbeat" ->
          options
              .setStartToCloseTimeout(LONG)
              .setHeartbeatTimeout(Duration.ofSeconds(1))
              .setRetryOptions(attempts(1));
      case "heartbeat-twice" ->
          options
              .setStartToCloseTimeout(LONG)
              .setHeartbeatTimeout(Duration.ofSeconds(1))
              .setRetryOptions(attempts(2));
      default -> options.setStartToCloseTimeout(LONG);
    }
    return options.build();
  }

  @WorkflowInterface
  public interface OneActivity {
    @WorkflowMethod
    Object run(String activity, String options, List<Object> arguments);
  }

  public static class OneActivityWorkflow implements OneActivity {
    @Override
    public Object run(String activity, String options, List<Object> arguments) {
      return Workflow.newUntypedActivityStub(options(options)).execute(activity, Object.class, arguments.toArray());
    }
  }

  @WorkflowInterface
  public interface CancelledActivity {
    @WorkflowMethod
    Object run(String kind, String how);

    @SignalMethod
    void go();
  }

  public static class CancelledActivityWorkflow implements CancelledActivity {
    private boolean told;

    @Override
    public Object run(String kind, String how) {
      Activities activities =
          Workflow.newActivityStub(
              Activities.class,
              ActivityOptions.newBuilder()
                  .setStartToCloseTimeout(LONG)
                  .setHeartbeatTimeout(Duration.ofSeconds(2))
                  .setCancellationType(ActivityCancellationType.valueOf(kind))
                  .build());
      List<Promise<String>> running = new ArrayList<>();
      CancellationScope scope =
          Workflow.newCancellationScope(() -> running.add(Async.function(activities::untilCancelled, how)));
      scope.run();
      Workflow.await(() -> told);
      scope.cancel();
      return running.get(0).get();
    }

    @Override
    public void go() {
      told = true;
    }
  }

  @WorkflowInterface
  public interface Local {
    @WorkflowMethod
    Object run(String activity, int attempts, List<Object> arguments);
  }

  public static class LocalWorkflow implements Local {
    @Override
    public Object run(String activity, int attempts, List<Object> arguments) {
      LocalActivityOptions options =
          LocalActivityOptions.newBuilder().setStartToCloseTimeout(LONG).setRetryOptions(attempts(attempts)).build();
      return Workflow.newUntypedLocalActivityStub(options).execute(activity, Object.class, arguments.toArray());
    }
  }

  /** What leaves only a note in the history. */
  @WorkflowInterface
  public interface Notes {
    @WorkflowMethod
    Object run(String what);

    @SignalMethod
    void go();
  }

  public static class NotesWorkflow implements Notes {
    private boolean told;

    @Override
    public Object run(String what) {
      switch (what) {
        case "timers":
          Workflow.sleep(Duration.ofMillis(100));
          List<String> fired = new ArrayList<>();
          Promise<Void> later = Workflow.newTimer(Duration.ofSeconds(2)).thenApply(x -> note(fired, "later"));
          Promise<Void> sooner = Workflow.newTimer(Duration.ofMillis(100)).thenApply(x -> note(fired, "sooner"));
          Promise.allOf(later, sooner).get();
          return fired;
        case "timer cancelled":
          return Workflow.await(LONG, () -> told) ? "told in time" : "too late";
        case "side effects":
          int first = Workflow.sideEffect(Integer.class, () -> 42);
          int second = Workflow.mutableSideEffect("setting", Integer.class, (a, b) -> a.equals(b), () -> 1);
          Workflow.sleep(Duration.ofMillis(20));
          int third = Workflow.mutableSideEffect("setting", Integer.class, (a, b) -> a.equals(b), () -> 1);
          return List.of(first, second, third);
        case "versions":
          int before = Workflow.getVersion("first", Workflow.DEFAULT_VERSION, 2);
          Workflow.sleep(Duration.ofMillis(50));
          return List.of(before, Workflow.getVersion("first", Workflow.DEFAULT_VERSION, 2));
        default:
          SearchAttributeKey<String> keyword = SearchAttributeKey.forKeyword("StoryKeyword");
          SearchAttributeKey<Long> number = SearchAttributeKey.forLong("StoryInt");
          Workflow.upsertTypedSearchAttributes(keyword.valueSet("changed"), number.valueUnset());
          Workflow.upsertMemo(Map.of("added", List.of(1, 2)));
          Workflow.sleep(Duration.ofMillis(50));
          return List.of(Workflow.getTypedSearchAttributes().get(keyword), Workflow.getMemo("kept", String.class));
      }
    }

    private static Void note(List<String> fired, String name) {
      fired.add(name);
      return null;
    }

    @Override
    public void go() {
      told = true;
    }
  }

  @WorkflowInterface
  public interface Mailbox {
    @WorkflowMethod
    List<String> run(int enough);

    @SignalMethod
    void hear(String what);

    @QueryMethod
    List<String> soFar();

    @UpdateMethod
    int add(String what);

    @UpdateValidatorMethod(updateName = "add")
    void check(String what);

    @UpdateMethod
    int addSlowly(String what);

    @UpdateMethod
    int fail(String what);
  }

  public static class MailboxWorkflow implements Mailbox {
    private final List<String> heard = new ArrayList<>();

    @Override
    public List<String> run(int enough) {
      Workflow.await(() -> heard.size() >= enough && Workflow.isEveryHandlerFinished());
      return heard;
    }

    @Override
    public void hear(String what) {
      heard.add(what);
    }

    @Override
    public List<String> soFar() {
      return heard;
    }

    @Override
    public int add(String what) {
      heard.add(what);
      return heard.size();
    }

    @Override
    public void check(String what) {
      if (what.equals("bad")) {
        throw ApplicationFailure.newFailure("not this", "Refused", "detail");
      }
    }

    @Override
    public int addSlowly(String what) {
      Workflow.newActivityStub(Activities.class, options("plain")).nothing();
      return add(what);
    }

    @Override
    public int fail(String what) {
      heard.add(what);
      throw ApplicationFailure.newFailure("in the middle", "Broken");
    }
  }

  @WorkflowInterface
  public interface Child {
    @WorkflowMethod
    String run(String what);

    @SignalMethod
    void tell(String what);
  }

  public static class ChildOfStory implements Child {
    private final List<String> told = new ArrayList<>();
    private final Activities activities = Workflow.newActivityStub(Activities.class, options("plain"));

    @Override
    public String run(String what) {
      switch (what) {
        case "greets":
          return "hello " + activities.greet("child");
        case "fails":
          throw ApplicationFailure.newFailure("a child's failure", "Childish", "detail");
        case "continues":
          Workflow.continueAsNew("greets");
          return "never";
        default:
      }
      try {
        Workflow.await(() -> !told.isEmpty());
      } catch (CanceledFailure cancelled) {
        if (what.equals("cleans up")) {
          Workflow.newDetachedCancellationScope(activities::nothing).run();
        }
        throw cancelled;
      }
      return "told " + told.get(0);
    }

    @Override
    public void tell(String what) {
      told.add(what);
    }
  }

  @WorkflowInterface
  public interface Parent {
    @WorkflowMethod
    Object run(String childId, String what, String then, String choice);

    @SignalMethod
    void go();
  }

  public static class ParentOfStory implements Parent {
    private boolean told;

    @Override
    public Object run(String childId, String what, String then, String choice) {
      ChildWorkflowOptions.Builder options = ChildWorkflowOptions.newBuilder().setWorkflowId(childId);
      switch (then) {
        case "cancel" -> options.setCancellationType(ChildWorkflowCancellationType.valueOf(choice));
        case "leave" -> options.setParentClosePolicy(ParentClosePolicy.valueOf("PARENT_CLOSE_POLICY_" + choice));
        case "time out" -> options.setWorkflowRunTimeout(Duration.ofSeconds(6));
        default -> {}
      }
      ChildWorkflowStub child = Workflow.newUntypedChildWorkflowStub("Child", options.build());
      List<Promise<Object>> running = new ArrayList<>();
      CancellationScope scope =
          Workflow.newCancellationScope(() -> running.add(child.executeAsync(Object.class, what)));
      scope.run();
      child.getExecution().get();
      if (then.equals("leave") || then.equals("cancel")) {
        Workflow.await(() -> told);
      }
      if (then.equals("leave")) {
        return "left";
      }
      if (then.equals("cancel")) {
        scope.cancel();
      }
      return running.get(0).get();
    }

    @Override
    public void go() {
      told = true;
    }
  }

  @WorkflowInterface
  public interface Reaching {
    @WorkflowMethod
    Object run(String other, String how);
  }

  public static class ReachingWorkflow implements Reaching {
    @Override
    public Object run(String other, String how) {
      WorkflowExecution execution = WorkflowExecution.newBuilder().setWorkflowId(other).build();
      try {
        if (how.equals("signal")) {
          Workflow.newUntypedExternalWorkflowStub(execution).signal("tell", "by a stranger");
        } else {
          Workflow.newUntypedExternalWorkflowStub(execution).cancel();
        }
      } catch (RuntimeException error) {
        return error.getClass().getSimpleName();
      }
      return "reached";
    }
  }

  @WorkflowInterface
  public interface Life {
    @WorkflowMethod
    Object run(String what, Object value);

    @SignalMethod
    void go();
  }

  public static class LifeWorkflow implements Life {
    private boolean told;
    private final Activities activities = Workflow.newActivityStub(Activities.class, options("plain"));

    @Override
    public Object run(String what, Object value) {
      int attempt = Workflow.getInfo().getAttempt();
      switch (what) {
        case "completes":
          return value;
        case "fails":
          throw ApplicationFailure.newFailure("as it must", "Fated", value);
        case "fails for good":
          throw ApplicationFailure.newNonRetryableFailure("for good", "Fated");
        case "fails twice":
          if (attempt < 3) {
            throw ApplicationFailure.newFailure("attempt " + attempt, "Again");
          }
          return attempt;
        case "continues":
          int left = ((Number) value).intValue();
          if (left > 0) {
            Workflow.continueAsNew("continues", left - 1);
          }
          return List.of("continued", Workflow.getInfo().getContinuedExecutionRunId().isPresent());
        case "cleans up":
          try {
            Workflow.sleep(LONG);
          } catch (CanceledFailure cancelled) {
            Workflow.newDetachedCancellationScope(() -> activities.greet("cleanup")).run();
            throw cancelled;
          }
          return "never";
        case "tells of itself":
          var info = Workflow.getInfo();
          return List.of(
              info.getWorkflowType(), info.getWorkflowId(), info.getTaskQueue(), info.getNamespace(), attempt,
              String.valueOf(info.getWorkflowExecutionTimeout()), String.valueOf(info.getWorkflowRunTimeout()),
              info.getHistoryLength(), info.isContinueAsNewSuggested());
        default:
          Workflow.await(() -> told);
          return "told";
      }
    }

    @Override
    public void go() {
      told = true;
    }
  }
}
