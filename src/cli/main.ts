/** The `viaduct` command: what Docker has no verb for. Everything else is the ordinary `docker` client's. */
import { readFileSync } from 'node:fs';
import { Command } from 'commander';
import { ZodError } from 'zod';
import * as answers from './answers.js';
import { clientOf, DEFAULT_HOST, type Get } from './client.js';
import { addressesText, portsText, statusText } from './tables.js';

const VERSION: string = JSON.parse(
  readFileSync(new URL('../../package.json', import.meta.url), 'utf8'),
).version;

const print = (text: string): void => void process.stdout.write(`${text}\n`);

const program = new Command('viaduct')
  .description('Looks at what Viaduct does with the host’s networks. Use `docker` to change it.')
  .version(VERSION)
  .option('-H, --host <address>', 'where the daemon listens', process.env.DOCKER_HOST || DEFAULT_HOST);

const host = (): string => program.opts<{ host: string }>().host;
const get: Get = (path) => clientOf(host())(path);
const running = async (): Promise<answers.Containers> =>
  answers.containers.parse(await get('/containers/json'));

program
  .command('status')
  .description('the daemon: where it is, what it keeps, what it warns of, what containers sent in vain')
  .action(async () => {
    const [version, summary] = [await get('/version'), await get('/info')];
    // A Docker has no such answer.
    const dropped = answers.dropped.parse(await get('/viaduct/dropped').catch(() => []));
    print(statusText(host(), answers.version.parse(version), answers.summary.parse(summary), dropped));
  });

program
  .command('ports')
  .description('every published port of the host and where it leads')
  .action(async () => print(portsText(await running())));

program
  .command('addresses')
  .description('every address of the running containers, by network')
  .action(async () => print(addressesText(await running())));

program.parseAsync().catch((error: unknown) => {
  const reason =
    error instanceof ZodError
      ? `the daemon on ${host()} answers something else than was expected: ${error.issues[0]?.path.join('.')} ${error.issues[0]?.message}`
      : String(error instanceof Error ? error.message : error);
  process.stderr.write(`viaduct: ${reason}\n`);
  process.exitCode = 1;
});
