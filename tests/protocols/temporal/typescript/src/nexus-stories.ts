// Operations that a workflow asks for, and what becomes of them.
import { isGrpcServiceError } from '@temporalio/client';
import { stories } from './stories';
import { EventType, outcome, QUEUE, Teller } from './telling';

const ENDPOINT = 'typescript-endpoint';
const NOBODYS = 'typescript-nobodys-endpoint';
const ALREADY_EXISTS = 6;

let made: Promise<unknown> | undefined;

/** Sees that the stories' endpoints are there. */
function endpoints(teller: Teller): Promise<unknown> {
  const make = async (name: string, taskQueue: string) => {
    const target = { worker: { namespace: 'default', taskQueue } };
    try {
      await teller.client.connection.operatorService.createNexusEndpoint({ spec: { name, target } });
    } catch (error) {
      if (!isGrpcServiceError(error) || Number(error.code) !== ALREADY_EXISTS) throw error;
    }
  };
  return (made ??= Promise.all([make(ENDPOINT, QUEUE), make(NOBODYS, 'typescript-nobody')]));
}

for (const [name, endpoint, operation, input, how] of [
  ['nexus', ENDPOINT, 'greet', 'you', 'waits'],
  ['nexus-fails', ENDPOINT, 'greet', 'a failure', 'waits'],
  ['nexus-is-cancelled', ENDPOINT, 'greet', 'a cancellation', 'waits'],
  ['nexus-bad-request', ENDPOINT, 'greet', 'a bad request', 'waits'],
  ['nexus-schedule-to-close-timeout', NOBODYS, 'greet', 'you', 'in-a-second'],
]) {
  stories[name] = async (teller) => {
    await endpoints(teller);
    return teller.run('asking', [endpoint, operation, input, how]);
  };
}

/** A story of an operation that is a run, and of what happens once that run waits. */
function employs(name: string, what: string, how: string, then?: (teller: Teller) => Promise<unknown>): void {
  stories[name] = async (teller) => {
    await endpoints(teller);
    const id = teller.id('work');
    const asked = await teller.start('asking', [ENDPOINT, 'work', { id, what }, how]);
    if (then !== undefined) {
      await teller.until(asked, EventType.EVENT_TYPE_NEXUS_OPERATION_STARTED);
      await teller.until(id, EventType.EVENT_TYPE_WORKFLOW_TASK_COMPLETED);
      await then(teller);
    }
    const found = await outcome(asked.result());
    return [found, await outcome(teller.client.workflow.getHandle(id).result())];
  };
}

const ask = (teller: Teller) => teller.client.workflow.getHandle(teller.id());
const work = (teller: Teller) => teller.client.workflow.getHandle(teller.id('work'));

employs('nexus-workflow', 'greets', 'waits');
employs('nexus-workflow-fails', 'fails', 'waits');
employs('nexus-workflow-told', 'waits', 'waits', (teller) => work(teller).signal('tell', 'what to do'));
employs('nexus-workflow-terminated', 'waits', 'waits', (teller) => work(teller).terminate('enough'));
employs('nexus-caller-cancelled', 'cleans up', 'waits', (teller) => ask(teller).cancel());
employs('nexus-cancel-wait-completed', 'cleans up', 'WAIT_CANCELLATION_COMPLETED', (teller) => ask(teller).signal('go'));
employs('nexus-cancel-wait-requested', 'cleans up', 'WAIT_CANCELLATION_REQUESTED', (teller) => ask(teller).signal('go'));
employs('nexus-cancel-abandon', 'waits', 'ABANDON', async (teller) => {
  await ask(teller).signal('go');
  await outcome(ask(teller).result());
  await work(teller).signal('tell', 'what to do'); // whom nobody cancels
});
