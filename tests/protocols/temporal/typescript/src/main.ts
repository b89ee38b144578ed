// Tells stories as a worker and a client in Temporal's TypeScript SDK: a line of JSON for each.
//
//   node lib/main.js --address 127.0.0.1:7233 [--cache 0] [STORY ...]
import { parseArgs } from 'node:util';
import { Client, Connection } from '@temporalio/client';
import { DefaultLogger, NativeConnection, Runtime, Worker } from '@temporalio/worker';
import * as activities from './activities';
import './nexus-stories';
import { greeting } from './operations';
import { stories } from './stories';
import { QUEUE, Teller } from './telling';

const AT_ONCE = 24;
const STORY_MS = 50_000;

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { address: { type: 'string' }, cache: { type: 'string' } },
  });
  const address = values.address ?? '127.0.0.1:7233';
  Runtime.install({
    logger: new DefaultLogger('ERROR', () => undefined),
    telemetryOptions: { logging: { forward: {}, filter: 'OFF' } },
  });
  const connection = await Connection.connect({ address });
  const client = new Client({ connection });
  const native = await NativeConnection.connect({ address });
  const worker = await Worker.create({
    connection: native,
    taskQueue: QUEUE,
    workflowsPath: require.resolve('./workflows'),
    activities,
    nexusServices: [greeting],
    maxCachedWorkflows: Number(values.cache ?? 1000),
    shutdownGraceTime: '1s',
  });
  const names = positionals.length > 0 ? positionals : Object.keys(stories);
  await worker.runUntil(async () => {
    const waiting = [...names];
    const speak = async () => {
      for (let name = waiting.shift(); name !== undefined; name = waiting.shift()) {
        console.log(JSON.stringify(await tell(client, name)));
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, speak));
  });
  await native.close();
  await connection.close();
}

/** Tells one story, whatever becomes of it. */
async function tell(client: Client, name: string): Promise<unknown> {
  const teller = new Teller(client, name);
  let timer: NodeJS.Timeout | undefined;
  const tooLong = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error('took too long')), STORY_MS);
  });
  try {
    const result = (await Promise.race([stories[name](teller), tooLong])) ?? null;
    return { story: name, result, runs: teller.runs, follow: teller.follow };
  } catch (error) {
    return { story: name, error: String(error), runs: teller.runs, follow: teller.follow };
  } finally {
    clearTimeout(timer);
  }
}

main().then(
  () => process.exit(0),
  (error) => {
    console.error(error);
    process.exit(1);
  }
);
