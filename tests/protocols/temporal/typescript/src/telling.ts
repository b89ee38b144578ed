import { Client, WorkflowHandle, WorkflowHandleWithFirstExecutionRunId, WorkflowStartOptions } from '@temporalio/client';
import {
  ActivityFailure,
  ApplicationFailure,
  ChildWorkflowFailure,
  NexusOperationFailure,
  TimeoutFailure,
} from '@temporalio/common';
import { temporal } from '@temporalio/proto';

export const QUEUE = 'typescript';
export const EventType = temporal.api.enums.v1.EventType;
export type Story = (teller: Teller) => Promise<unknown>;
export type Options = Partial<WorkflowStartOptions> & { part?: string };

/** What a story has at hand: a client, names of its own, and a list of the runs that it started. */
export class Teller {
  readonly runs: [string, string][] = [];
  follow = true;

  constructor(
    readonly client: Client,
    readonly name: string
  ) {}

  /** A workflow id that only this story uses. */
  id(part?: string): string {
    return part ? `typescript-${this.name}-${part}` : `typescript-${this.name}`;
  }

  /** Starts a run whose history belongs to the story. */
  async start(workflow: string, args: unknown[], options: Options = {}): Promise<WorkflowHandleWithFirstExecutionRunId> {
    const { part, ...given } = options;
    const handle = await this.client.workflow.start(workflow, {
      taskQueue: QUEUE,
      workflowId: this.id(part),
      workflowExecutionTimeout: '60s',
      args,
      ...given,
    } as WorkflowStartOptions);
    this.runs.push([handle.workflowId, handle.firstExecutionRunId]);
    return handle;
  }

  /** Starts a run and waits for its outcome. */
  async run(workflow: string, args: unknown[], options: Options = {}): Promise<unknown> {
    return outcome((await this.start(workflow, args, options)).result());
  }

  /** Waits until a run has these events, and nothing is under way in it. */
  async until(handle: WorkflowHandle | string, ...kinds: number[]): Promise<void> {
    const run = typeof handle === 'string' ? this.client.workflow.getHandle(handle) : handle;
    await eventually(async () => {
      const have = ((await run.fetchHistory()).events ?? []).map((event) => event.eventType);
      for (const kind of kinds) {
        const index = have.indexOf(kind);
        if (index < 0) return false;
        have.splice(index, 1);
      }
      return (await run.describe()).raw.pendingWorkflowTask == null;
    });
  }

  /** Waits until a run's first task is over, and nothing is under way in it. */
  settled(handle: WorkflowHandle | string): Promise<void> {
    return this.until(handle, EventType.EVENT_TYPE_WORKFLOW_TASK_COMPLETED);
  }
}

/** A result, or what failed and why, down to the first cause. */
export async function outcome(promise: Promise<unknown>): Promise<unknown> {
  try {
    return (await promise) ?? null;
  } catch (error) {
    return { failed: chain(error) };
  }
}

function chain(error: unknown): unknown[] {
  const found: unknown[] = [];
  for (let each = error; each instanceof Error; each = each.cause) found.push(told(each));
  return found;
}

function told(error: Error): unknown {
  const said: Record<string, unknown> = { error: error.name, message: error.message };
  if (error instanceof ApplicationFailure) {
    Object.assign(said, { type: error.type, details: error.details, nonRetryable: error.nonRetryable });
  } else if (error instanceof ActivityFailure) {
    Object.assign(said, { activity: error.activityType, id: error.activityId, retryState: error.retryState });
  } else if (error instanceof ChildWorkflowFailure) {
    Object.assign(said, { workflow: error.workflowType, retryState: error.retryState });
  } else if (error instanceof NexusOperationFailure) {
    Object.assign(said, { endpoint: error.endpoint, service: error.service, operation: error.operation });
  } else if (error instanceof TimeoutFailure) {
    Object.assign(said, { type: error.timeoutType, heartbeat: error.lastHeartbeatDetails });
  }
  return said;
}

export async function eventually(condition: () => Promise<boolean>): Promise<void> {
  while (!(await condition())) await new Promise((resolve) => setTimeout(resolve, 50));
}
