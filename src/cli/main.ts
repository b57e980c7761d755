/** The `viaduct` command: what Docker has no verb for. Everything else is the ordinary `docker` client's. */
import { readFileSync } from 'node:fs';
import { Command } from 'commander';
import { ZodError } from 'zod';
import { dirty, objects } from '../door/schema.js';
import { invalid, messageOf, notFound, ViaductError } from '../errors.js';
import * as answers from './answers.js';
import { clientOf, DEFAULT_HOST, type Get } from './client.js';
import { addressesText, objectsText, portsText, statusText } from './tables.js';

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
  .description(
    'the daemon: where it is, what it keeps, what it warns of, what is not as it should be, what containers sent in vain',
  )
  .action(async () => {
    const [version, summary] = [await get('/version'), await get('/info')];
    // A Docker has no such answer.
    const dropped = answers.dropped.parse(await get('/viaduct/dropped').catch(() => []));
    const unclean = dirty.parse(await get('/viaduct/v1/dirty').catch(() => []));
    print(
      statusText(host(), answers.version.parse(version), answers.summary.parse(summary), dropped, unclean),
    );
  });

program
  .command('ports')
  .description('every published port of the host and where it leads')
  .action(async () => print(portsText(await running())));

program
  .command('addresses')
  .description('every address of the running containers, by network')
  .action(async () => print(addressesText(await running())));

/** A container and a network may have one name: both are meant then. */
const objectsOf = async (name: string) => {
  const tried = await Promise.allSettled(
    ['container', 'network'].map(async (kind) =>
      objects.parse(await get(`/viaduct/v1/objects?${kind}=${encodeURIComponent(name)}`)),
    ),
  );
  const found = tried.flatMap((each) => (each.status === 'fulfilled' ? [each.value] : []));
  const failed = tried.flatMap((each): unknown[] => (each.status === 'rejected' ? [each.reason] : []));
  const other = failed.find((error) => !(error instanceof ViaductError && error.kind === 'not-found'));
  if (other) throw other;
  if (found.length === 0) throw notFound(`there is no container and no network ${name}`);
  return found.flat();
};

program
  .command('objects')
  .description('what is in the kernel because of a container or a network, and for whom')
  .argument('<name>', 'of a container or a network, or an id')
  .option('--format <format>', 'text or json', 'text')
  .action(async (name: string, { format }: { format: string }) => {
    if (format !== 'text' && format !== 'json') throw invalid(`--format ${format}: text or json`);
    const seen = await objectsOf(name);
    print(format === 'json' ? JSON.stringify(seen, null, 2) : objectsText(seen));
  });

program.parseAsync().catch((error: unknown) => {
  const reason =
    error instanceof ZodError
      ? `the daemon on ${host()} answers something else than was expected: ${error.issues[0]?.path.join('.')} ${error.issues[0]?.message}`
      : messageOf(error);
  process.stderr.write(`viaduct: ${reason}\n`);
  process.exitCode = 1;
});
