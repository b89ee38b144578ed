import * as wf from '@temporalio/workflow';
import { defineSearchAttributeKey } from '@temporalio/common';
import type * as acts from './activities';
import { greeter } from './contract';

const LONG = '60s';
const quick: wf.RetryPolicy = { initialInterval: '50ms', maximumInterval: '100ms' };

/** Activity options by name, so that one workflow serves most stories. */
const options: Record<string, wf.ActivityOptions> = {
  plain: { startToCloseTimeout: LONG },
  quick: { startToCloseTimeout: LONG, retry: quick },
  once: { startToCloseTimeout: LONG, retry: { maximumAttempts: 1 } },
  twice: { startToCloseTimeout: LONG, retry: { ...quick, maximumAttempts: 2 } },
  'known-type': { startToCloseTimeout: LONG, retry: { nonRetryableErrorTypes: ['Broken'] } },
  nobody: { scheduleToStartTimeout: '1s', scheduleToCloseTimeout: LONG, taskQueue: 'typescript-nobody' },
  short: { startToCloseTimeout: '1s', retry: { maximumAttempts: 1 } },
  'short-for-one': { scheduleToCloseTimeout: '1s' },
  'short-in-all': { scheduleToCloseTimeout: '2s', retry: { initialInterval: '3s' } },
  heartbeat: { startToCloseTimeout: LONG, heartbeatTimeout: '1s', retry: { maximumAttempts: 1 } },
  'heartbeat-twice': { startToCloseTimeout: LONG, heartbeatTimeout: '1s', retry: { ...quick, maximumAttempts: 2 } },
  priority: {
    startToCloseTimeout: LONG,
    priority: { priorityKey: 2, fairnessKey: 'tenant', fairnessWeight: 2.5 },
    summary: 'what it is for',
    activityId: 'my-id',
  },
  elsewhere: { startToCloseTimeout: LONG, heartbeatTimeout: LONG, retry: { maximumAttempts: 1 } },
};
const { greet, nothing } = wf.proxyActivities<typeof acts>({ startToCloseTimeout: LONG });

export async function oneActivity(activity: string, named: string, args: unknown[]): Promise<unknown> {
  return wf.scheduleActivity(activity, args, options[named]);
}

export const go = wf.defineSignal('go');
const cancellations: Record<string, wf.ActivityCancellationType> = {
  wait: wf.ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
  try: wf.ActivityCancellationType.TRY_CANCEL,
  abandon: wf.ActivityCancellationType.ABANDON,
};

export async function cancelledActivity(kind: string, how: string): Promise<unknown> {
  let told = false;
  wf.setHandler(go, () => void (told = true));
  const { untilCancelled } = wf.proxyActivities<typeof acts>({
    startToCloseTimeout: LONG,
    heartbeatTimeout: '2s',
    cancellationType: cancellations[kind],
  });
  const scope = new wf.CancellationScope();
  const running = scope.run(() => untilCancelled(how));
  await wf.condition(() => told);
  scope.cancel();
  return running;
}

export async function localActivity(activity: string, named: string, args: unknown[]): Promise<unknown> {
  const retry = { plain: { maximumAttempts: 1 }, quick: { initialInterval: 10, maximumInterval: 20 } }[named];
  return wf.scheduleLocalActivity(activity, args, { startToCloseTimeout: LONG, retry });
}

export async function timers(): Promise<string[]> {
  await wf.sleep(100, { summary: 'a nap' });
  const fired: string[] = [];
  const wait = async (name: string, ms: number) => {
    await wf.sleep(ms);
    fired.push(name);
  };
  await Promise.all([wait('later', 2000), wait('sooner', 100)]);
  return fired;
}

export async function timerCancelled(): Promise<string> {
  let told = false;
  wf.setHandler(go, () => void (told = true));
  return (await wf.condition(() => told, LONG)) ? 'told in time' : 'too late';
}

export async function patches(): Promise<unknown[]> {
  const found: unknown[] = [wf.patched('first')];
  await wf.sleep(50);
  found.push(wf.patched('first'), wf.patched('second'));
  wf.deprecatePatch('third');
  await wf.sleep(50);
  return found;
}

export async function attributes(): Promise<unknown> {
  const keyword = defineSearchAttributeKey('StoryKeyword', 'KEYWORD');
  const number = defineSearchAttributeKey('StoryInt', 'INT');
  const before = { ...wf.workflowInfo().memo };
  wf.upsertSearchAttributes([
    { key: keyword, value: 'changed' },
    { key: number, value: null },
  ]);
  wf.upsertMemo({ added: [1, 2], kept: null });
  await wf.sleep(50);
  return [before, wf.workflowInfo().memo, wf.workflowInfo().typedSearchAttributes.get(keyword)];
}

export const hear = wf.defineSignal<[unknown]>('hear');
export const soFar = wf.defineQuery<unknown[]>('soFar');

export async function mailbox(enough: number): Promise<unknown[]> {
  const heard: unknown[] = [];
  const add = (what: unknown) => heard.push(what);
  wf.setHandler(hear, (what) => void heard.push(what));
  wf.setHandler(soFar, () => heard);
  wf.setHandler(wf.defineQuery('broken'), () => {
    throw new Error('cannot say');
  });
  wf.setHandler(wf.defineUpdate<number, [unknown]>('add'), add, {
    validator: (what) => {
      if (what === 'bad') throw wf.ApplicationFailure.create({ message: 'not this', type: 'Refused', details: ['detail'] });
    },
  });
  wf.setHandler(wf.defineUpdate<number, [unknown]>('addSlowly'), async (what) => {
    await nothing();
    return add(what);
  });
  wf.setHandler(wf.defineUpdate<number, [unknown]>('fail'), async (what) => {
    add(what);
    throw wf.ApplicationFailure.create({ message: 'in the middle', type: 'Broken' });
  });
  wf.setHandler(wf.defineUpdate<number, [number]>('waitFor'), async (count) => {
    await wf.condition(() => heard.length >= count);
    return heard.length;
  });
  await wf.condition(() => heard.length >= enough && wf.allHandlersFinished());
  return heard;
}

export const tell = wf.defineSignal<[string]>('tell');

export async function child(what: string): Promise<string> {
  const told: string[] = [];
  wf.setHandler(tell, (word) => void told.push(word));
  if (what === 'greets') return `hello ${await greet('child')}`;
  if (what === 'fails') throw wf.ApplicationFailure.create({ message: "a child's failure", type: 'Childish', details: ['detail'] });
  if (what === 'continues') await wf.continueAsNew<typeof child>('greets');
  try {
    await wf.condition(() => told.length > 0);
  } catch (error) {
    if (what === 'cleans up') await wf.CancellationScope.nonCancellable(() => nothing());
    throw error;
  }
  return `told ${told.join()}`;
}

export async function parent(
  childId: string,
  what: string,
  given: { then?: string; options?: wf.ChildWorkflowOptions }
): Promise<unknown> {
  let told = false;
  wf.setHandler(go, () => void (told = true));
  const scope = new wf.CancellationScope();
  return scope.run(async () => {
    const running = await wf.startChild('child', { workflowId: childId, args: [what], ...given.options });
    if (given.then === 'signal') await running.signal(tell, 'by the parent');
    if (given.then === 'leave' || given.then === 'cancel') await wf.condition(() => told);
    if (given.then === 'leave') return 'left';
    if (given.then === 'cancel') scope.cancel();
    return running.result();
  });
}

export async function reaching(other: string, how: string): Promise<string> {
  const handle = wf.getExternalWorkflowHandle(other);
  try {
    await (how === 'signal' ? handle.signal(tell, 'by a stranger') : handle.cancel());
  } catch (error) {
    return String(error);
  }
  return 'reached';
}

export async function life(what: string, value?: unknown): Promise<unknown> {
  const info = wf.workflowInfo();
  let told = false;
  wf.setHandler(go, () => void (told = true));
  switch (what) {
    case 'completes':
      return value;
    case 'fails':
      throw wf.ApplicationFailure.create({ message: 'as it must', type: 'Fated', details: [value] });
    case 'fails for good':
      throw wf.ApplicationFailure.nonRetryable('for good', 'Fated');
    case 'fails twice':
      if (info.attempt < 3) throw wf.ApplicationFailure.create({ message: `attempt ${info.attempt}`, type: 'Again' });
      return [info.attempt, String(info.lastFailure)];
    case 'continues':
      if ((value as number) > 0) await wf.continueAsNew<typeof life>('continues', (value as number) - 1);
      return ['continued', info.continuedFromExecutionRunId !== undefined];
    case 'cleans up':
      try {
        await wf.sleep(LONG);
      } catch (error) {
        const done = await wf.CancellationScope.nonCancellable(() => greet('cleanup'));
        if (value === 'and completes') return done;
        throw error;
      }
      return 'never';
    case 'tells of itself':
      return {
        attempt: info.attempt,
        type: info.workflowType,
        id: info.workflowId,
        queue: info.taskQueue,
        namespace: info.namespace,
        executionTimeout: info.executionTimeoutMs,
        runTimeout: info.runTimeoutMs,
        taskTimeout: info.taskTimeoutMs,
        parent: info.parent,
        root: info.root,
        length: info.historyLength,
        suggested: info.continueAsNewSuggested,
        priority: info.priority,
        attempts: info.retryPolicy?.maximumAttempts,
      };
    case 'two steps': {
      const first = await greet('first');
      await wf.condition(() => told);
      return [first, await greet('second')];
    }
  }
  await wf.condition(() => told);
  return 'told';
}

/** Asks for one operation; it is called off once the run is told to, if a kind of cancellation says how. */
export async function asking(endpoint: string, operation: 'greet' | 'work', input: never, how: string): Promise<unknown> {
  const client = wf.createNexusServiceClient({ endpoint, service: greeter });
  if (how === 'waits') return client.executeOperation(operation, input);
  if (how === 'in-a-second') return client.executeOperation(operation, input, { scheduleToCloseTimeout: '1s' });
  let told = false;
  wf.setHandler(go, () => void (told = true));
  const scope = new wf.CancellationScope();
  const cancellationType = how as wf.NexusOperationCancellationType;
  const asked = await scope.run(() => client.startOperation(operation, input, { cancellationType }));
  await wf.condition(() => told);
  scope.cancel();
  return asked.result();
}
