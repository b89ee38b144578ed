package stories;

import io.temporal.activity.Activity;
import io.temporal.activity.ActivityExecutionContext;
import io.temporal.activity.ActivityInterface;
import io.temporal.client.ActivityCompletionException;
import io.temporal.failure.ApplicationFailure;
import java.time.Duration;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;

/** The activities of all stories. */
@ActivityInterface
public interface Activities {
  /** Tokens of activities that are completed from elsewhere, by workflow id. */
  Map<String, byte[]> TOKENS = new ConcurrentHashMap<>();

  String greet(String name);

  void nothing();

  String thirdTime(String what);

  void alwaysFails(String message);

  void failsForGood();

  String failsWithDelay();

  String sleeps(double seconds);

  String hangsAfterHeartbeat(String detail);

  String untilCancelled(String how);

  String elsewhere();

  final class Implementation implements Activities {
    @Override
    public String greet(String name) {
      return "hello " + name;
    }

    @Override
    public void nothing() {}

    @Override
    public String thirdTime(String what) {
      int attempt = attempt();
      if (attempt < 3) {
        throw ApplicationFailure.newFailure("not yet: " + attempt, "NotYet", Map.of("attempt", attempt));
      }
      return what + " at attempt " + attempt;
    }

    @Override
    public void alwaysFails(String message) {
      IllegalStateException root = new IllegalStateException("the root of it");
      throw ApplicationFailure.newFailureWithCause(message, "Broken", root, "detail", 7);
    }

    @Override
    public void failsForGood() {
      throw ApplicationFailure.newNonRetryableFailure("no use", "Hopeless");
    }

    @Override
    public String failsWithDelay() {
      if (attempt() == 1) {
        throw ApplicationFailure.newBuilder()
            .setMessage("soon")
            .setType("Later")
            .setNextRetryDelay(Duration.ofMillis(200))
            .build();
      }
      return "after the delay";
    }

    @Override
    public String sleeps(double seconds) {
      nap((long) (seconds * 1000));
      return "slept";
    }

    @Override
    public String hangsAfterHeartbeat(String detail) {
      ActivityExecutionContext context = Activity.getExecutionContext();
      if (attempt() > 1) {
        return "found " + context.getHeartbeatDetails(String.class).orElse("nothing");
      }
      context.heartbeat(detail);
      nap(8000);
      return "never";
    }

    @Override
    public String untilCancelled(String how) {
      try {
        while (true) {
          Activity.getExecutionContext().heartbeat("alive");
          nap(100);
        }
      } catch (ActivityCompletionException cancelled) {
        if (how.equals("completes")) {
          return "completed in spite of it";
        }
        if (how.equals("fails")) {
          throw ApplicationFailure.newNonRetryableFailure("failed on cancel", "Cleanup");
        }
        throw cancelled;
      }
    }

    @Override
    public String elsewhere() {
      ActivityExecutionContext context = Activity.getExecutionContext();
      TOKENS.put(context.getInfo().getWorkflowId(), context.getTaskToken());
      context.doNotCompleteOnReturn();
      return "ignored";
    }

    private static int attempt() {
      return Activity.getExecutionContext().getInfo().getAttempt();
    }

    private static void nap(long milliseconds) {
      try {
        Thread.sleep(milliseconds);
      } catch (InterruptedException interrupted) {
        Thread.currentThread().interrupt();
      }
    }
  }
}
