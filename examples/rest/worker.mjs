// A worker in JavaScript, with nothing but fetch. It takes activities of the task queue "shell", four at a time.
//
//   PERDURE_URL=http://127.0.0.1:7420 node examples/rest/worker.mjs

const api = `${process.env.PERDURE_URL ?? "http://127.0.0.1:7420"}/api/v1/namespaces/default`;

async function ask(path, body) {
  const answer = await fetch(`${api}/${path}`, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(body),
  });
  const text = await answer.text();
  if (!answer.ok) throw new Error(`${path}: ${JSON.parse(text).detail}`);
  return text ? JSON.parse(text) : null;
}

class CardDeclined extends Error {}

const activities = {
  async charge(task, order) {
    const { cancel_requested } = await ask(`activities/${task.task_token}/heartbeat`, { details: ["charging"] });
    if (cancel_requested) return ask(`activities/${task.task_token}/cancel`, {});
    if (order.amount > 1000) throw new CardDeclined("too much");
    return { charged: order.amount, receipt: task.idempotency_key };
  },
};

async function work() {
  for (;;) {
    const task = await ask("task-queues/shell/activities/poll", {
      identity: "worker.mjs",
      activity_types: Object.keys(activities),
    });
    if (task === null) continue; // nothing to do: ask again
    try {
      const result = await activities[task.activity_type](task, ...task.input);
      await ask(`activities/${task.task_token}/complete`, { result });
    } catch (error) {
      // Tried again as the workflow's retry policy says, but not what would fail again.
      await ask(`activities/${task.task_token}/fail`, {
        message: error.message,
        type: error.constructor.name,
        non_retryable: error instanceof CardDeclined,
        stack_trace: error.stack,
      });
    }
  }
}

await Promise.all(Array.from({ length: 4 }, work));
