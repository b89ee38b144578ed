package stories;

import io.temporal.api.enums.v1.EventType;
import io.temporal.api.enums.v1.PendingActivityState;
import io.temporal.api.enums.v1.WorkflowIdConflictPolicy;
import io.temporal.api.enums.v1.WorkflowIdReusePolicy;
import io.temporal.client.ActivityCompletionClient;
import io.temporal.client.UpdateOptions;
import io.temporal.client.WorkflowOptions;
import io.temporal.client.WorkflowStub;
import io.temporal.client.WorkflowUpdateStage;
import io.temporal.common.RetryOptions;
import io.temporal.common.SearchAttributeKey;
import io.temporal.common.SearchAttributes;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.function.Consumer;
import java.util.function.Function;

/** All stories, by name. */
final class Stories {
  private static final Map<String, Main.Story> FOUND = new TreeMap<>();

  private Stories() {}

  static Map<String, Main.Story> all() {
    activities();
    notes();
    messages();
    children();
    NexusStories.addTo(FOUND);
    lives();
    return FOUND;
  }

  private static void single(String name, Consumer<WorkflowOptions.Builder> change, String workflow, Object... arguments) {
    FOUND.put(
        name,
        teller -> {
          WorkflowOptions.Builder options = teller.options();
          change.accept(options);
          return teller.run(options, workflow, arguments);
        });
  }

  private static void activity(String name, String activity, String options, Object... arguments) {
    single(name, o -> {}, "OneActivity", activity, options, List.of(arguments));
  }

  private static void activities() {
    activity("activity", "Greet", "plain", "world");
    activity("activity-without-result", "Nothing", "plain");
    activity("activity-retry", "ThirdTime", "quick", "done");
    activity("activity-fails", "AlwaysFails", "once", "out of luck");
    activity("activity-fails-for-good", "FailsForGood", "quick");
    activity("activity-maximum-attempts", "AlwaysFails", "twice", "twice is enough");
    activity("activity-schedule-to-start-timeout", "Greet", "nobody", "anybody");
    activity("activity-start-to-close-timeout", "Sleeps", "short", 8);
    activity("activity-schedule-to-close-timeout", "Sleeps", "short-for-one", 8);
    activity("activity-heartbeat-timeout", "HangsAfterHeartbeat", "heartbeat", "last");
    activity("activity-heartbeat-timeout-then-details", "HangsAfterHeartbeat", "heartbeat-twice", "last");
    activity("activity-next-retry-delay", "FailsWithDelay", "plain");
    for (String how : List.of("stops", "completes", "fails")) {
      FOUND.put("activity-cancel-wait-" + how, t -> cancelled(t, "WAIT_CANCELLATION_COMPLETED", how));
    }
    FOUND.put("activity-cancel-try-stops", t -> cancelled(t, "TRY_CANCEL", "stops"));
    FOUND.put("activity-cancel-abandon-stops", t -> cancelled(t, "ABANDON", "stops"));
    FOUND.put(
        "activity-completed-by-token",
        teller -> {
          WorkflowStub stub = teller.start(teller.options(), "OneActivity", "Elsewhere", "once", List.of());
          activityStarted(teller);
          ActivityCompletionClient completion = teller.client.newActivityCompletionClient();
          byte[] token = Activities.TOKENS.get(teller.id(""));
          completion.heartbeat(token, "half way");
          completion.complete(token, "from elsewhere");
          return stub.getResult(Object.class);
        });
  }

  private static Object cancelled(Teller teller, String kind, String how) throws Exception {
    WorkflowStub stub = teller.start(teller.options(), "CancelledActivity", kind, how);
    activityStarted(teller);
    stub.signal("go");
    return Teller.outcome(() -> stub.getResult(Object.class));
  }

  private static void activityStarted(Teller teller) throws InterruptedException {
    teller.until(teller.id(""), EventType.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED);
    while (teller.describe(teller.id("")).getPendingActivitiesList().stream()
        .noneMatch(a -> a.getState() == PendingActivityState.PENDING_ACTIVITY_STATE_STARTED && a.getAttempt() == 1)) {
      Thread.sleep(50);
    }
  }

  private static void notes() {
    single("local-activity", o -> {}, "Local", "Greet", 1, List.of("nearby"));
    single("local-activity-retry", o -> {}, "Local", "ThirdTime", 5, List.of("done"));
    single("local-activity-fails", o -> {}, "Local", "AlwaysFails", 1, List.of("out of luck"));
    single("timers", o -> {}, "Notes", "timers");
    single("side-effects", o -> {}, "Notes", "side effects");
    single("versions", o -> {}, "Notes", "versions");
    SearchAttributes given =
        SearchAttributes.newBuilder()
            .set(SearchAttributeKey.forKeyword("StoryKeyword"), "given")
            .set(SearchAttributeKey.forLong("StoryInt"), 7L)
            .build();
    single(
        "search-attributes-and-memo",
        o ->
            o.setTypedSearchAttributes(given)
                .setMemo(Map.of("kept", "for now"))
                .setStaticSummary("a summary")
                .setStaticDetails("details"),
        "Notes",
        "attributes");
    FOUND.put(
        "timer-cancelled",
        teller -> {
          WorkflowStub stub = teller.start(teller.options(), "Notes", "timer cancelled");
          teller.until(teller.id(""), EventType.EVENT_TYPE_TIMER_STARTED);
          stub.signal("go");
          return Teller.outcome(() -> stub.getResult(Object.class));
        });
  }

  private static WorkflowStub opened(Teller teller, int enough) throws InterruptedException {
    WorkflowStub stub = teller.start(teller.options(), "Mailbox", enough);
    teller.settled(teller.id(""));
    return stub;
  }

  private static Object result(WorkflowStub stub) {
    return Teller.outcome(() -> stub.getResult(Object.class));
  }

  private static void messages() {
    FOUND.put(
        "signals",
        teller -> {
          WorkflowStub stub = opened(teller, 2);
          stub.signal("hear", "one");
          teller.until(teller.id(""), EventType.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED);
          stub.signal("hear", "two");
          return result(stub);
        });
    FOUND.put(
        "signal-with-start",
        teller -> {
          WorkflowStub stub = teller.client.newUntypedWorkflowStub("Mailbox", teller.options().build());
          teller.noted(stub, stub.signalWithStart("hear", new Object[] {"with the start"}, new Object[] {1}));
          return result(stub);
        });
    FOUND.put(
        "queries",
        teller -> {
          WorkflowStub stub = opened(teller, 1);
          List<Object> found = new ArrayList<>();
          found.add(stub.query("soFar", Object.class));
          found.add(Teller.outcome(() -> stub.query("noSuchQuery", Object.class)));
          stub.signal("hear", "asked");
          found.add(result(stub));
          found.add(stub.query("soFar", Object.class));
          return found;
        });
    FOUND.put(
        "updates",
        teller -> {
          WorkflowStub stub = opened(teller, 3);
          List<Object> found = new ArrayList<>();
          for (String name : List.of("add", "addSlowly", "add")) {
            found.add(stub.update(name, Object.class, name));
            teller.settled(teller.id(""));
          }
          found.add(result(stub));
          return found;
        });
    FOUND.put(
        "update-rejected",
        teller -> {
          WorkflowStub stub = opened(teller, 1);
          List<Object> found = new ArrayList<>();
          found.add(Teller.outcome(() -> stub.update("add", Object.class, "bad")));
          teller.settled(teller.id(""));
          found.add(stub.update("add", Object.class, "good"));
          found.add(result(stub));
          return found;
        });
    FOUND.put(
        "update-fails",
        teller -> {
          WorkflowStub stub = opened(teller, 1);
          Object failed = Teller.outcome(() -> stub.update("fail", Object.class, "heard"));
          return List.of(failed, result(stub));
        });
    FOUND.put(
        "update-with-start",
        teller -> {
          WorkflowOptions options =
              teller
                  .options()
                  .setWorkflowIdConflictPolicy(WorkflowIdConflictPolicy.WORKFLOW_ID_CONFLICT_POLICY_USE_EXISTING)
                  .build();
          WorkflowStub stub = teller.client.newUntypedWorkflowStub("Mailbox", options);
          UpdateOptions<Object> update =
              UpdateOptions.newBuilder(Object.class)
                  .setUpdateName("add")
                  .setWaitForStage(WorkflowUpdateStage.COMPLETED)
                  .build();
          Object found = stub.executeUpdateWithStart(update, new Object[] {"with the start"}, new Object[] {1});
          teller.noted(stub, stub.getExecution());
          return List.of(found, result(stub));
        });
  }

  /** A story of something that happens while a child runs, and of how both end. */
  private static void withChild(String name, String what, String then, String choice, Function<Teller, Object> next) {
    FOUND.put(
        name,
        teller -> {
          WorkflowStub stub = teller.start(teller.options(), "Parent", teller.id("child"), what, then, choice);
          teller.until(teller.id(""), EventType.EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_STARTED);
          teller.settled(teller.id("child"));
          next.apply(teller);
          Object found = result(stub);
          if (choice.equals("ABANDON") && then.equals("leave")) {
            teller.existing(teller.id("child")).signal("tell", "after the parent");
          }
          return List.of(found, result(teller.existing(teller.id("child"))));
        });
  }

  private static Object go(Teller teller) {
    teller.existing(teller.id("")).signal("go");
    return null;
  }

  private static void children() {
    for (String what : List.of("greets", "fails", "continues")) {
      FOUND.put("child-" + what, t -> t.run(t.options(), "Parent", t.id("child"), what, "", ""));
    }
    FOUND.put("child-times-out", t -> t.run(t.options(), "Parent", t.id("child"), "waits", "time out", ""));
    for (String kind : List.of("ABANDON", "TRY_CANCEL", "WAIT_CANCELLATION_COMPLETED", "WAIT_CANCELLATION_REQUESTED")) {
      String what = kind.equals("WAIT_CANCELLATION_COMPLETED") ? "cleans up" : "waits";
      withChild("child-cancel-" + kind.toLowerCase().replace('_', '-'), what, "cancel", kind, Stories::go);
    }
    for (String policy : List.of("TERMINATE", "ABANDON", "REQUEST_CANCEL")) {
      withChild("child-left-to-" + policy.toLowerCase().replace('_', '-'), "waits", "leave", policy, Stories::go);
    }
    withChild("child-terminated", "waits", "", "", teller -> {
      teller.existing(teller.id("child")).terminate("no more of it");
      return null;
    });
    for (String how : List.of("signal", "cancel")) {
      FOUND.put(
          "external-" + how,
          teller -> {
            WorkflowStub other = teller.start(teller.options().setWorkflowId(teller.id("other")), "Child", "waits");
            teller.settled(teller.id("other"));
            return List.of(teller.run(teller.options(), "Reaching", teller.id("other"), how), result(other));
          });
      single("external-missing-" + how, o -> {}, "Reaching", "java-nobody-of-this-id", how);
    }
  }

  private static RetryOptions everySecond() {
    return RetryOptions.newBuilder()
        .setInitialInterval(Duration.ofSeconds(1))
        .setBackoffCoefficient(1)
        .setMaximumAttempts(5)
        .build();
  }

  private static void lives() {
    single("completes", o -> {}, "Life", "completes", Map.of("nested", List.of(1, 2.5, true, "ä")));
    single("fails", o -> {}, "Life", "fails", "detail");
    single("continues-as-new", o -> o.setMemo(Map.of("a", "memo")), "Life", "continues", 2);
    single("retried", o -> o.setRetryOptions(everySecond()), "Life", "fails twice", null);
    single("not-retried", o -> o.setRetryOptions(everySecond()), "Life", "fails for good", null);
    single("run-times-out", o -> o.setWorkflowRunTimeout(Duration.ofSeconds(6)), "Life", "waits", null);
    single("delayed", o -> o.setStartDelay(Duration.ofSeconds(1)), "Life", "completes", "late");
    single("info", o -> o.setWorkflowRunTimeout(Duration.ofSeconds(30)), "Life", "tells of itself", null);
    FOUND.put(
        "cancelled-with-cleanup",
        teller -> {
          WorkflowStub stub = teller.start(teller.options(), "Life", "cleans up", null);
          teller.until(teller.id(""), EventType.EVENT_TYPE_TIMER_STARTED);
          stub.cancel();
          return result(stub);
        });
    FOUND.put(
        "terminated",
        teller -> {
          WorkflowStub stub = teller.start(teller.options(), "Life", "waits", null);
          teller.settled(teller.id(""));
          stub.terminate("enough", "a detail", 2);
          return result(stub);
        });
    FOUND.put(
        "taken-ids",
        teller -> {
          WorkflowStub first = teller.start(teller.options(), "Life", "waits", null);
          teller.settled(teller.id(""));
          List<Object> found = new ArrayList<>();
          found.add(Teller.outcome(() -> teller.start(teller.options(), "Life", "completes", 1)));
          first.signal("go");
          found.add(result(first));
          WorkflowIdReusePolicy once = WorkflowIdReusePolicy.WORKFLOW_ID_REUSE_POLICY_REJECT_DUPLICATE;
          found.add(
              Teller.outcome(
                  () -> teller.start(teller.options().setWorkflowIdReusePolicy(once), "Life", "completes", 2)));
          return found;
        });
  }
}
