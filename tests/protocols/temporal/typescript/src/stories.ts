import { WorkflowUpdateStage, WithStartWorkflowOperation } from '@temporalio/client';
import { defineSearchAttributeKey } from '@temporalio/common';
import { temporal } from '@temporalio/proto';
import { tokenOf } from './activities';
import { EventType, eventually, Options, outcome, QUEUE, Story, Teller } from './telling';

export const stories: Record<string, Story> = {};

/** A story that starts one run and waits for it. */
function single(name: string, workflow: string, args: unknown[] | ((teller: Teller) => unknown[]), options: Options = {}): void {
  stories[name] = (teller) => teller.run(workflow, typeof args === 'function' ? args(teller) : args, options);
}

for (const [name, activity, options, ...args] of [
  ['activity', 'greet', 'plain', 'world'],
  ['activity-without-result', 'nothing', 'plain'],
  ['activity-info', 'aboutMe', 'priority'],
  ['activity-retry', 'thirdTime', 'quick', 'done'],
  ['activity-fails', 'alwaysFails', 'once', 'out of luck'],
  ['activity-fails-for-good', 'failsForGood', 'quick'],
  ['activity-non-retryable-type', 'alwaysFails', 'known-type', 'a known kind'],
  ['activity-maximum-attempts', 'alwaysFails', 'twice', 'twice is enough'],
  ['activity-schedule-to-start-timeout', 'greet', 'nobody', 'anybody'],
  ['activity-start-to-close-timeout', 'sleeps', 'short', 8],
  ['activity-schedule-to-close-timeout', 'sleeps', 'short-for-one', 8],
  ['activity-without-time-to-retry', 'alwaysFails', 'short-in-all', 'no time left'],
  ['activity-heartbeat-timeout', 'hangsAfterHeartbeat', 'heartbeat', 'last'],
  ['activity-heartbeat-timeout-then-details', 'hangsAfterHeartbeat', 'heartbeat-twice', 'last'],
  ['activity-heartbeat-details', 'failsAfterHeartbeat', 'quick'],
  ['activity-next-retry-delay', 'failsWithDelay', 'plain'],
] as [string, string, string, ...unknown[]][]) {
  single(name, 'oneActivity', [activity, options, args]);
}

for (const [kind, how] of [
  ['wait', 'stops'],
  ['wait', 'completes'],
  ['wait', 'fails'],
  ['try', 'stops'],
  ['abandon', 'stops'],
]) {
  stories[`activity-cancel-${kind}-${how}`] = async (teller) => {
    const handle = await teller.start('cancelledActivity', [kind, how]);
    await activityStarted(teller, handle.workflowId);
    await handle.signal('go');
    return outcome(handle.result());
  };
}

async function activityStarted(teller: Teller, id: string): Promise<void> {
  await teller.until(id, EventType.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED);
  const started = temporal.api.enums.v1.PendingActivityState.PENDING_ACTIVITY_STATE_STARTED;
  await eventually(async () => {
    const { raw } = await teller.client.workflow.getHandle(id).describe();
    return raw.pendingActivities?.[0]?.state === started;
  });
}

stories['activity-completed-by-token'] = async (teller) => {
  const handle = await teller.start('oneActivity', ['elsewhere', 'elsewhere', []]);
  await activityStarted(teller, handle.workflowId);
  await eventually(async () => tokenOf(handle.workflowId) !== undefined);
  const token = tokenOf(handle.workflowId) as Uint8Array;
  await teller.client.activity.heartbeat(token, 'half way');
  await teller.client.activity.complete(token, 'from elsewhere');
  return [await handle.result(), await outcome(teller.client.activity.complete(token, 'again'))];
};
stories['activity-failed-by-id'] = async (teller) => {
  const handle = await teller.start('oneActivity', ['elsewhere', 'elsewhere', []]);
  await activityStarted(teller, handle.workflowId);
  const id = { workflowId: handle.workflowId, runId: handle.firstExecutionRunId, activityId: '1' };
  await teller.client.activity.fail(id, new Error('from elsewhere'));
  return outcome(handle.result());
};

single('local-activity', 'localActivity', ['greet', 'plain', ['nearby']]);
single('local-activity-retry', 'localActivity', ['thirdTime', 'quick', ['done']]);
single('local-activity-fails', 'localActivity', ['alwaysFails', 'plain', ['out of luck']]);
single('timers', 'timers', []);
stories['timer-cancelled'] = async (teller) => {
  const handle = await teller.start('timerCancelled', []);
  await teller.until(handle, EventType.EVENT_TYPE_TIMER_STARTED);
  await handle.signal('go');
  return outcome(handle.result());
};
single('patches', 'patches', []);
single('search-attributes-and-memo', 'attributes', [], {
  typedSearchAttributes: [
    { key: defineSearchAttributeKey('StoryKeyword', 'KEYWORD'), value: 'given' },
    { key: defineSearchAttributeKey('StoryInt', 'INT'), value: 7 },
  ],
  memo: { kept: 'for now', still: { deep: true } },
  staticSummary: 'a summary',
  staticDetails: 'details',
});

async function opened(teller: Teller, enough: number) {
  const handle = await teller.start('mailbox', [enough]);
  await teller.settled(handle);
  return handle;
}

stories['signals'] = async (teller) => {
  const handle = await opened(teller, 2);
  await handle.signal('hear', { number: 1 });
  await teller.until(handle, EventType.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED);
  await handle.signal('hear', 'two');
  return outcome(handle.result());
};
stories['signal-with-start'] = async (teller) => {
  const start = (what: string) =>
    teller.client.workflow.signalWithStart('mailbox', {
      workflowId: teller.id(),
      taskQueue: QUEUE,
      workflowExecutionTimeout: '60s',
      args: [2],
      signal: 'hear',
      signalArgs: [what],
    });
  const first = await start('with the start');
  teller.runs.push([first.workflowId, first.signaledRunId]);
  await teller.settled(first);
  const second = await start('of a running one');
  return [first.signaledRunId === second.signaledRunId, await outcome(first.result())];
};
stories['queries'] = async (teller) => {
  const handle = await opened(teller, 1);
  const found = [await handle.query('soFar'), await outcome(handle.query('broken')), await outcome(handle.query('noSuchQuery'))];
  await handle.signal('hear', 'asked');
  return [...found, await handle.result(), await handle.query('soFar')];
};
stories['updates'] = async (teller) => {
  const handle = await opened(teller, 3);
  const found: unknown[] = [];
  for (const [name, what] of [['add', 'one'], ['addSlowly', 'two'], ['add', 'three']]) {
    found.push(await handle.executeUpdate(name, { args: [what] }));
    await teller.settled(handle);
  }
  return [...found, await outcome(handle.result())];
};
stories['update-rejected'] = async (teller) => {
  const handle = await opened(teller, 1);
  const found = [
    await outcome(handle.executeUpdate('add', { args: ['bad'] })),
    await outcome(handle.executeUpdate('noSuchUpdate', { args: [1] })),
  ];
  await teller.settled(handle);
  return [...found, await handle.executeUpdate('add', { args: ['good'] }), await outcome(handle.result())];
};
stories['update-fails'] = async (teller) => {
  const handle = await opened(teller, 1);
  return [await outcome(handle.executeUpdate('fail', { args: ['heard'] })), await outcome(handle.result())];
};
stories['update-accepted-first'] = async (teller) => {
  const handle = await opened(teller, 1);
  const update = await handle.startUpdate('waitFor', { args: [1], updateId: 'waits', waitForStage: WorkflowUpdateStage.ACCEPTED });
  await teller.settled(handle);
  await handle.signal('hear', 'now');
  return [await update.result(), await handle.getUpdateHandle('waits').result(), await outcome(handle.result())];
};
stories['update-with-start'] = async (teller) => {
  const update = async (what: string) => {
    const operation = new WithStartWorkflowOperation('mailbox', {
      workflowId: teller.id(),
      taskQueue: QUEUE,
      workflowExecutionTimeout: '60s',
      args: [2],
      workflowIdConflictPolicy: 'USE_EXISTING',
    });
    const found = await teller.client.workflow.executeUpdateWithStart('add', { args: [what], startWorkflowOperation: operation });
    return [found, await operation.workflowHandle()] as const;
  };
  teller.runs.push([teller.id(), '']);
  const [first, handle] = await update('with the start');
  await teller.settled(handle);
  const [second] = await update('to a running one');
  return [first, second, await outcome(handle.result())];
};

single('child', 'parent', (teller) => [teller.id('child'), 'greets', { options: { memo: { a: 'memo' }, staticSummary: 'summary' } }]);
single('child-fails', 'parent', (teller) => [teller.id('child'), 'fails', {}]);
single('child-continues', 'parent', (teller) => [teller.id('child'), 'continues', {}]);
single('child-times-out', 'parent', (teller) => [teller.id('child'), 'waits', { options: { workflowRunTimeout: '6s' } }]);
single('child-signalled-by-parent', 'parent', (teller) => [teller.id('child'), 'waits', { then: 'signal' }]);

/** A story of something that happens while a child runs, and of how both end. */
function withChild(name: string, what: string, given: unknown, then: (teller: Teller) => Promise<unknown>): void {
  stories[name] = async (teller) => {
    const handle = await teller.start('parent', [teller.id('child'), what, given]);
    await teller.until(handle, EventType.EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_STARTED);
    await teller.settled(teller.id('child'));
    await then(teller);
    const found = await outcome(handle.result());
    const child = teller.client.workflow.getHandle(teller.id('child'));
    if (name === 'child-left-to-abandon') await child.signal('tell', 'after the parent');
    return [found, await outcome(child.result())];
  };
}

const signalled = (teller: Teller) => teller.client.workflow.getHandle(teller.id()).signal('go');
const terminated = (teller: Teller) => teller.client.workflow.getHandle(teller.id('child')).terminate('no more of it');
for (const kind of ['ABANDON', 'TRY_CANCEL', 'WAIT_CANCELLATION_COMPLETED', 'WAIT_CANCELLATION_REQUESTED']) {
  const what = kind === 'WAIT_CANCELLATION_COMPLETED' ? 'cleans up' : 'waits';
  const name = `child-cancel-${kind.toLowerCase().replaceAll('_', '-')}`;
  withChild(name, what, { then: 'cancel', options: { cancellationType: kind } }, signalled);
}
for (const policy of ['TERMINATE', 'ABANDON', 'REQUEST_CANCEL']) {
  const name = `child-left-to-${policy.toLowerCase().replaceAll('_', '-')}`;
  withChild(name, 'waits', { then: 'leave', options: { parentClosePolicy: policy } }, signalled);
}
withChild('child-terminated', 'waits', {}, terminated);
withChild('child-cancelled-with-parent', 'cleans up', {}, (teller) => teller.client.workflow.getHandle(teller.id()).cancel());

for (const how of ['signal', 'cancel']) {
  stories[`external-${how}`] = async (teller) => {
    const other = await teller.start('child', ['waits'], { part: 'other' });
    await teller.settled(other);
    return [await teller.run('reaching', [other.workflowId, how]), await outcome(other.result())];
  };
  single(`external-missing-${how}`, 'reaching', ['typescript-nobody-of-this-id', how]);
}

single('completes', 'life', ['completes', { nested: [1, 2.5, null, true, 'ä'] }]);
single('fails', 'life', ['fails', 'detail']);
single('continues-as-new', 'life', ['continues', 2], { memo: { a: 'memo' } });
single('retried', 'life', ['fails twice'], { retry: { initialInterval: '1s', backoffCoefficient: 1, maximumAttempts: 5 } });
single('not-retried', 'life', ['fails for good'], { retry: { initialInterval: '1s' } });
single('run-times-out', 'life', ['waits'], { workflowRunTimeout: '6s' });
single('delayed', 'life', ['completes', 'late'], { startDelay: '1s' });
single('info', 'life', ['tells of itself'], {
  workflowRunTimeout: '30s',
  workflowTaskTimeout: '5s',
  retry: { maximumAttempts: 3 },
  priority: { priorityKey: 1, fairnessKey: 'key', fairnessWeight: 1.5 },
});
for (const [name, value] of [['cancelled-with-cleanup', ''], ['cancelled-but-completes', 'and completes']]) {
  stories[name] = async (teller) => {
    const handle = await teller.start('life', ['cleans up', value]);
    await teller.until(handle, EventType.EVENT_TYPE_TIMER_STARTED);
    await handle.cancel();
    return outcome(handle.result());
  };
}
stories['terminated'] = async (teller) => {
  const handle = await teller.start('life', ['waits']);
  await teller.settled(handle);
  await handle.terminate('enough');
  return outcome(handle.result());
};
stories['taken-ids'] = async (teller) => {
  const first = await teller.start('life', ['waits']);
  await teller.settled(first);
  const found: unknown[] = [await outcome(teller.start('life', ['completes', 1]))];
  const same = await teller.start('life', ['completes', 1], { workflowIdConflictPolicy: 'USE_EXISTING' });
  found.push(same.firstExecutionRunId === first.firstExecutionRunId);
  await teller.start('life', ['completes', 2], { workflowIdConflictPolicy: 'TERMINATE_EXISTING' });
  found.push(await outcome(first.result()));
  const second = teller.client.workflow.getHandle(teller.id());
  found.push(await second.result());
  found.push(await outcome(teller.start('life', ['completes', 3], { workflowIdReusePolicy: 'REJECT_DUPLICATE' })));
  return found;
};
stories['nobody-of-this-id'] = async (teller) => {
  const nobody = teller.client.workflow.getHandle('typescript-nobody-of-this-id');
  return [
    await outcome(nobody.describe()),
    await outcome(nobody.signal('go')),
    await outcome(nobody.cancel()),
    await outcome(nobody.result()),
  ];
};
