/**
 * Clients that die, sleep or say too much, at every endpoint that streams: the same daemon answers, every container can
 * be removed, and no byte that a container wrote is lost (rows M2, C1, C2, U1, C10–C12, C16, M38 of the faults found from
 * outside).
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { CLIENTS, startDaemon, type TestDaemon } from '../support/daemon.js';
import { type RawClient, type RawRequest, rawClient, unframed } from '../support/raw-client.js';
import { attempt, until } from '../support/run.js';

let d: TestDaemon;
let pid: number;
beforeAll(async () => {
  d = await startDaemon({ images: ['alpine'] });
  pid = d.pid();
});
afterAll(() => d.stop());

/** The very process answers that answered at the beginning. */
const sameDaemon = async (): Promise<void> => {
  expect((await d.api('GET', '/_ping')).status).toBe(200);
  expect(d.pid()).toBe(pid);
};
/** A pipe with the real client in it, called `docker`. */
const piped = async (command: string): Promise<string> => {
  const { code, stdout, stderr } = await attempt(
    'sh',
    ['-c', `docker() { ${CLIENTS[0]} "$@"; }; ${command}`],
    {
      env: { DOCKER_HOST: `unix://${d.socket}` },
      timeoutMs: 60_000,
    },
  );
  if (code !== 0) throw new Error(`${command}: ${code}\n${stderr}`);
  return stdout.trim();
};
const client = (request: RawRequest): RawClient => rawClient(d.socket, request);
const times = <T>(count: number, work: (index: number) => Promise<T>): Promise<T[]> =>
  Promise.all(Array.from({ length: count }, (_, index) => work(index)));

describe('by the real client', () => {
  test('C1 U1: more input than a container reads', async () => {
    await times(4, async () => {
      await piped('head -c 1000000 /dev/zero | docker run --rm -i alpine true');
      await piped('head -c 40000000 /dev/zero | timeout 0.5 docker run --rm -i alpine sleep 5 || true');
    });
    await sameDaemon();
  });
  test('C1: the answer to the first line comes although the rest is never read, twenty of twenty times', async () => {
    for (let round = 0; round < 5; round++) {
      const said = await times(4, () => piped('yes | docker run -i --rm alpine head -n1'));
      expect(said).toEqual(['y', 'y', 'y', 'y']);
    }
    await sameDaemon();
  });
  test.each(['', '-t'])('M2 C2: a reader that sleeps gets all of it, to the byte (run %s)', async (tty) => {
    const lines = 2_000_000;
    const bytes = 14_888_896 + (tty ? lines : 0);
    expect(await piped(`docker run --rm ${tty} alpine seq 1 ${lines} | (sleep 2; wc -c)`)).toBe(
      String(bytes),
    );
    await sameDaemon();
  });
});

const LINES = 60_000;
const NUMBERS = Array.from({ length: LINES }, (_, i) => `${i + 1}\n`).join('');
/** Numbers to both outputs: 0.7 MB, which a client that leaves may not keep from anybody. */
const TALK = `seq 1 ${LINES}; seq 1 ${LINES} >&2; exit 5`;
/** More than any buffer on the way holds: a client that sleeps makes it wait. */
const FLOOD = 'yes';

interface Box {
  readonly id: string;
  readonly tty: boolean;
}
const create = async (tty: boolean, script: string): Promise<Box> => {
  const { json, text } = await d.api('POST', '/containers/create', {
    Image: 'alpine',
    Cmd: ['sh', '-c', script],
    Tty: tty,
    OpenStdin: true,
    HostConfig: { NetworkMode: 'none' },
  });
  const { Id } = json as { Id?: string };
  if (!Id) throw new Error(text);
  return { id: Id, tty };
};
const start = async ({ id }: Box): Promise<void> => {
  expect((await d.api('POST', `/containers/${id}/start`)).status).toBe(204);
};
const attachTo = ({ id }: Box, query = 'stream=1&stdin=1&stdout=1&stderr=1'): RawRequest => ({
  method: 'POST',
  path: `/containers/${id}/attach?${query}`,
  upgrade: true,
});
const heard = (tty: boolean, bytes: Buffer): string => {
  if (tty) return bytes.toString();
  const { out, err } = unframed(bytes);
  return `${out}${err}`;
};
const said = (tty: boolean): string => (tty ? NUMBERS.replaceAll('\n', '\r\n') : NUMBERS).repeat(2);

/** What is asked of the daemon by the client that is about to die. `begins`: it starts the container itself, later. */
interface Endpoint {
  readonly ask: (box: Box) => Promise<RawRequest>;
  readonly before: boolean;
}
const ENDPOINTS: Readonly<Record<string, Endpoint>> = {
  run: { ask: async (box) => attachTo(box), before: true },
  'start -a': { ask: async (box) => attachTo(box, 'stream=1&stdout=1&stderr=1'), before: true },
  attach: { ask: async (box) => attachTo(box), before: false },
  'logs -f': {
    ask: async ({ id }) => ({ method: 'GET', path: `/containers/${id}/logs?follow=1&stdout=1&stderr=1` }),
    before: false,
  },
};

type Death = (victim: RawClient) => void;
const DEATHS: Readonly<Record<string, Death>> = {
  killed: ({ socket }) => void socket.destroy(),
  'half-closed': ({ socket }) => void socket.end(),
  // A unix socket that is closed with something unread in it resets its peer, as a TCP one does.
  reset: ({ socket }) => void socket.pause().destroy(),
};
const MOMENTS: Readonly<Record<string, (victim: RawClient, box: Box) => Promise<unknown>>> = {
  'before the first byte': async () => undefined,
  'in the middle': (victim) => until('something was heard', () => victim.received() > 4096),
  'after the end': (_, { id }) => d.api('POST', `/containers/${id}/wait`),
};

describe.each(Object.entries(ENDPOINTS))('%s', (name, { ask, before }) => {
  const cells = [false, true].flatMap((tty) =>
    Object.keys(MOMENTS).flatMap((moment) => Object.keys(DEATHS).map((death) => ({ tty, moment, death }))),
  );

  test('M2 C1 C2 U1: a client that dies takes nothing from anybody, whenever and however', async () => {
    await Promise.all(
      cells.map(async ({ tty, moment, death }) => {
        const cell = `${name}${tty ? ' -t' : ''}, ${death} ${moment}`;
        // One that is attached to has to wait until it is.
        const box = await create(tty, before ? TALK : `read go; ${TALK}`);
        const survivor = client(attachTo(box));
        await survivor.header();
        if (!before) await start(box);
        const victim = client(await ask(box));
        if (before) {
          if (moment !== 'before the first byte') await victim.header();
          await start(box);
        } else {
          if (moment !== 'before the first byte') await victim.header();
          survivor.socket.write('go\n');
        }
        if (death === 'reset' && moment !== 'in the middle') victim.sleep();
        await MOMENTS[moment]?.(victim, box);
        DEATHS[death]?.(victim);
        const { json } = await d.api('POST', `/containers/${box.id}/wait`);
        expect(json, cell).toMatchObject({ StatusCode: 5 });
        const echo = tty && !before ? 'go\r\n' : '';
        expect(
          heard(tty, await survivor.rest()) === echo + said(tty),
          `${cell}: the survivor has it all`,
        ).toBe(true);
        const logs = client({
          method: 'GET',
          path: `/containers/${box.id}/logs?stdout=1&stderr=1`,
          headers: { Connection: 'close' },
        });
        expect((await logs.rest()).length, `${cell}: the log has it all`).toBeGreaterThan(said(tty).length);
        expect((await d.api('DELETE', `/containers/${box.id}`)).status, cell).toBe(204);
        victim.socket.destroy();
      }),
    );
    await sameDaemon();
  });

  test('M2 C2: one that sleeps for ever keeps nobody from removing the container', async () => {
    await Promise.all(
      [false, true].map(async (tty) => {
        const box = await create(tty, FLOOD);
        if (!before) await start(box);
        const sleeper = client(await ask(box));
        if (before) {
          await sleeper.header();
          await start(box);
        }
        await until('it hears something', () => sleeper.received() > 4096);
        sleeper.sleep();
        const other = client(attachTo(box));
        await other.header();
        expect((await d.api('DELETE', `/containers/${box.id}?force=1`)).status).toBe(204);
        await other.rest();
        sleeper.socket.destroy();
      }),
    );
    await sameDaemon();
  });
});
