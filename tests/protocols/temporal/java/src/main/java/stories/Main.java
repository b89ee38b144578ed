package stories;

import com.fasterxml.jackson.databind.ObjectMapper;
import io.temporal.client.WorkflowClient;
import io.temporal.serviceclient.WorkflowServiceStubs;
import io.temporal.serviceclient.WorkflowServiceStubsOptions;
import io.temporal.worker.Worker;
import io.temporal.worker.WorkerFactory;
import io.temporal.worker.WorkerFactoryOptions;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;

/**
 * Tells stories as a worker and a client in Temporal's Java SDK: a line of JSON for each.
 *
 * <p>java -cp ... stories.Main --address 127.0.0.1:7233 [--cache 0] [STORY ...]
 */
public final class Main {
  static final String QUEUE = "java";
  private static final int AT_ONCE = 24;
  private static final long STORY_SECONDS = 50;
  private static final ObjectMapper JSON = new ObjectMapper();

  public static void main(String[] arguments) throws Exception {
    String address = "127.0.0.1:7233";
    int cache = 600;
    List<String> names = new ArrayList<>();
    for (int i = 0; i < arguments.length; i++) {
      switch (arguments[i]) {
        case "--address" -> address = arguments[++i];
        case "--cache" -> cache = Integer.parseInt(arguments[++i]);
        default -> names.add(arguments[i]);
      }
    }
    WorkflowServiceStubs service =
        WorkflowServiceStubs.newServiceStubs(
            WorkflowServiceStubsOptions.newBuilder().setTarget(address).build());
    WorkflowClient client = WorkflowClient.newInstance(service);
    WorkerFactory factory =
        WorkerFactory.newInstance(
            client, WorkerFactoryOptions.newBuilder().setWorkflowCacheSize(cache).build());
    Worker worker = factory.newWorker(QUEUE);
    worker.registerWorkflowImplementationTypes(Workflows.ALL);
    worker.registerNexusServiceImplementation(new Operations.GreeterOfStory());
    worker.registerActivitiesImplementations(new Activities.Implementation());
    factory.start();
    Map<String, Story> stories = Stories.all();
    ExecutorService threads = Executors.newFixedThreadPool(AT_ONCE, Main::daemon);
    ExecutorService tellers = Executors.newCachedThreadPool(Main::daemon);
    List<Future<?>> told = new ArrayList<>();
    for (String name : names.isEmpty() ? stories.keySet() : names) {
      told.add(threads.submit(() -> tell(client, name, stories.get(name), tellers)));
    }
    for (Future<?> one : told) {
      one.get();
    }
    System.exit(0);
  }

  private static Thread daemon(Runnable work) {
    Thread thread = new Thread(work);
    thread.setDaemon(true);
    return thread;
  }

  /** Tells one story, whatever becomes of it. */
  private static void tell(WorkflowClient client, String name, Story story, ExecutorService tellers) {
    Teller teller = new Teller(client, name);
    Map<String, Object> line = new LinkedHashMap<>();
    line.put("story", name);
    try {
      line.put("result", tellers.submit(() -> story.tell(teller)).get(STORY_SECONDS, TimeUnit.SECONDS));
    } catch (Exception error) {
      line.put("error", String.valueOf(error.getCause() == null ? error : error.getCause()));
    }
    line.put("runs", teller.runs);
    try {
      String text = JSON.writeValueAsString(line);
      synchronized (System.out) {
        System.out.println(text);
        System.out.flush();
      }
    } catch (Exception error) {
      throw new IllegalStateException(error);
    }
  }

  interface Story {
    Object tell(Teller teller) throws Exception;
  }
}
