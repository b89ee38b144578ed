// Operations that others ask for by an endpoint.
import * as nexus from 'nexus-rpc';
import { startWorkflow, WorkflowRunOperationHandler } from '@temporalio/nexus';
import { greeter, Work } from './contract';
import type { child } from './workflows';

export const greeting = nexus.serviceHandler(greeter, {
  async greet(_, name) {
    if (name === 'a failure') throw new nexus.OperationError('failed', 'not today');
    if (name === 'a cancellation') throw new nexus.OperationError('canceled', 'called off');
    if (name === 'a bad request') throw new nexus.HandlerError('BAD_REQUEST', 'what?');
    return `hello ${name}`;
  },
  work: new WorkflowRunOperationHandler<Work, string>((ctx, { id, what }) =>
    startWorkflow<typeof child>(ctx, 'child', { workflowId: id, args: [what], workflowExecutionTimeout: '60s' })
  ),
});
