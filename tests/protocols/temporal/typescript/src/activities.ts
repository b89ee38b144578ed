import { CompleteAsyncError, Context, heartbeat, sleep } from '@temporalio/activity';
import { ApplicationFailure, CancelledFailure } from '@temporalio/common';

/** Tokens of activities that are completed from elsewhere, by workflow id. */
const tokens = new Map<string, Uint8Array>();

/** The token of a run's activity, once it has begun. */
export function tokenOf(workflowId: string): Uint8Array | undefined {
  return tokens.get(workflowId);
}

export async function greet(name: string): Promise<string> {
  return `hello ${name}`;
}

export async function nothing(): Promise<void> {}

export async function thirdTime(what: string): Promise<string> {
  const { attempt } = Context.current().info;
  if (attempt < 3) {
    throw ApplicationFailure.create({ message: `not yet: ${attempt}`, type: 'NotYet', details: [{ attempt }] });
  }
  return `${what} at attempt ${attempt}`;
}

export async function alwaysFails(message: string): Promise<void> {
  const cause = new TypeError('the root of it');
  throw ApplicationFailure.create({ message, type: 'Broken', details: ['detail', 7], cause });
}

export async function failsForGood(): Promise<void> {
  throw ApplicationFailure.nonRetryable('no use', 'Hopeless');
}

export async function failsWithDelay(): Promise<string> {
  if (Context.current().info.attempt === 1) {
    throw ApplicationFailure.create({ message: 'soon', type: 'Later', nextRetryDelay: '200ms' });
  }
  return 'after the delay';
}

export async function sleeps(seconds: number): Promise<string> {
  await sleep(seconds * 1000);
  return 'slept';
}

export async function hangsAfterHeartbeat(detail: unknown): Promise<string> {
  const { attempt, heartbeatDetails } = Context.current().info;
  if (attempt > 1) return `found ${JSON.stringify(heartbeatDetails)}`;
  heartbeat(detail);
  await new Promise((resolve) => setTimeout(resolve, 8000));
  return 'never';
}

export async function failsAfterHeartbeat(): Promise<unknown> {
  const { attempt, heartbeatDetails } = Context.current().info;
  if (attempt > 1) return heartbeatDetails;
  heartbeat('so far');
  throw new Error('again, please');
}

export async function untilCancelled(how: string): Promise<string> {
  try {
    for (;;) {
      heartbeat('alive');
      await sleep(100);
    }
  } catch (error) {
    if (!(error instanceof CancelledFailure)) throw error;
    if (how === 'completes') return 'completed in spite of it';
    if (how === 'fails') throw ApplicationFailure.nonRetryable('failed on cancel', 'Cleanup');
    throw error;
  }
}

export async function elsewhere(): Promise<void> {
  const { info } = Context.current();
  tokens.set(info.workflowExecution?.workflowId ?? '', info.taskToken);
  throw new CompleteAsyncError();
}

export async function aboutMe(): Promise<unknown> {
  const { info } = Context.current();
  return {
    id: info.activityId,
    type: info.activityType,
    attempt: info.attempt,
    queue: info.taskQueue,
    workflow: info.workflowType,
    startToClose: info.startToCloseTimeoutMs,
    scheduleToClose: info.scheduleToCloseTimeoutMs,
    heartbeat: info.heartbeatTimeoutMs,
    priority: info.priority,
  };
}
