package stories;

import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.temporal.api.enums.v1.EventType;
import io.temporal.api.nexus.v1.EndpointSpec;
import io.temporal.api.nexus.v1.EndpointTarget;
import io.temporal.api.operatorservice.v1.CreateNexusEndpointRequest;
import io.temporal.api.operatorservice.v1.OperatorServiceGrpc;
import io.temporal.client.WorkflowStub;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;

/** Operations that a workflow asks for, and what becomes of them. */
final class NexusStories {
  private static final String ENDPOINT = "java-endpoint";
  private static final String NOBODYS = "java-nobodys-endpoint";
  private static boolean made;

  private NexusStories() {}

  static void addTo(Map<String, Main.Story> found) {
    for (String what : List.of("you", "a failure", "a bad request")) {
      String name = what.equals("you") ? "nexus" : "nexus-" + what.substring(2).replace(' ', '-');
      found.put(name, teller -> asked(teller, ENDPOINT, what, "waits"));
    }
    found.put("nexus-schedule-to-close-timeout", teller -> asked(teller, NOBODYS, "you", "in a second"));
    employs(found, "nexus-workflow", "greets", "waits", null);
    employs(found, "nexus-workflow-fails", "fails", "waits", null);
    employs(found, "nexus-workflow-told", "waits", "waits", NexusStories::tellWork);
    employs(found, "nexus-workflow-terminated", "waits", "waits", t -> t.existing(t.id("work")).terminate("enough"));
    employs(found, "nexus-caller-cancelled", "cleans up", "waits", t -> t.existing(t.id("")).cancel());
    employs(found, "nexus-cancel-wait-completed", "cleans up", "WAIT_COMPLETED", NexusStories::go);
    employs(found, "nexus-cancel-wait-requested", "cleans up", "WAIT_REQUESTED", NexusStories::go);
    employs(
        found,
        "nexus-cancel-abandon",
        "waits",
        "ABANDON",
        teller -> {
          go(teller);
          Teller.outcome(() -> teller.existing(teller.id("")).getResult(Object.class));
          tellWork(teller); // whom nobody cancels
        });
  }

  private static void go(Teller teller) {
    teller.existing(teller.id("")).signal("go");
  }

  private static void tellWork(Teller teller) {
    teller.existing(teller.id("work")).signal("tell", "what to do");
  }

  private static Object asked(Teller teller, String endpoint, String what, String how) {
    makeEndpoints(teller);
    return teller.run(teller.options(), "Asking", endpoint, new Operations.Work("", what), how);
  }

  /** A story of an operation that is a run, and of what happens once that run waits. */
  private static void employs(
      Map<String, Main.Story> found, String name, String what, String how, Consumer<Teller> next) {
    found.put(
        name,
        teller -> {
          makeEndpoints(teller);
          String id = teller.id("work");
          WorkflowStub asking =
              teller.start(teller.options(), "Asking", ENDPOINT, new Operations.Work(id, what), how);
          if (next != null) {
            teller.until(teller.id(""), EventType.EVENT_TYPE_NEXUS_OPERATION_STARTED);
            teller.until(id, EventType.EVENT_TYPE_WORKFLOW_TASK_COMPLETED);
            next.accept(teller);
          }
          Object outcome = Teller.outcome(() -> asking.getResult(Object.class));
          return List.of(outcome, Teller.outcome(() -> teller.existing(id).getResult(Object.class)));
        });
  }

  /** Sees that the stories' endpoints are there. */
  private static synchronized void makeEndpoints(Teller teller) {
    if (made) {
      return;
    }
    OperatorServiceGrpc.OperatorServiceBlockingStub operators =
        OperatorServiceGrpc.newBlockingStub(teller.client.getWorkflowServiceStubs().getRawChannel());
    for (Map.Entry<String, String> one : Map.of(ENDPOINT, Main.QUEUE, NOBODYS, "java-nobody").entrySet()) {
      EndpointTarget.Worker worker =
          EndpointTarget.Worker.newBuilder().setNamespace("default").setTaskQueue(one.getValue()).build();
      EndpointSpec spec =
          EndpointSpec.newBuilder()
              .setName(one.getKey())
              .setTarget(EndpointTarget.newBuilder().setWorker(worker))
              .build();
      try {
        operators.createNexusEndpoint(CreateNexusEndpointRequest.newBuilder().setSpec(spec).build());
      } catch (StatusRuntimeException refused) {
        if (refused.getStatus().getCode() != Status.Code.ALREADY_EXISTS) {
          throw refused;
        }
      }
    }
    made = true;
  }
}
