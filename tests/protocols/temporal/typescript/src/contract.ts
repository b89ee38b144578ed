// What may be asked for; apart from who answers, which workflows can't load.
import * as nexus from 'nexus-rpc';

/** The workflow id of the run that an operation is, and what that run does. */
export interface Work {
  id: string;
  what: string;
}

export const greeter = nexus.service('Greeter', {
  greet: nexus.operation<string, string>(),
  work: nexus.operation<Work, string>(),
});
