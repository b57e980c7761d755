/**
 * Clients that die, sleep or say too much, at every endpoint that streams: the same daemon answers, every container can
 * be removed, and no byte that a container wrote is lost (rows M2, C1, C2, U1, C10–C12, C16, M38 of the faults found from
 * outside).
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { CLIENTS, startDaemon, type TestDaemon } from '../support/daemon.js';
import { openConnections } from '../support/open-connections.js';
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

const LINES = 20_000;
const NUMBERS = Array.from({ length: LINES }, (_, i) => `${i + 1}\n`).join('');
/** Numbers to both outputs: more than pipes and sockets hold, which a client that leaves may not keep from anybody. */
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

describe('exec', () => {
  test('M2 C1: one whose client dies goes on to its end, whenever and however', async () => {
    const box = await create(false, 'sleep 600');
    await start(box);
    const cells = [false, true].flatMap((tty) =>
      ['before the first byte', 'in the middle'].flatMap((moment) =>
        Object.keys(DEATHS).map((death) => ({ tty, moment, death })),
      ),
    );
    await Promise.all(
      cells.map(async ({ tty, moment, death }) => {
        const cell = `exec${tty ? ' -t' : ''}, ${death} ${moment}`;
        const made = await d.api('POST', `/containers/${box.id}/exec`, {
          ...{ AttachStdin: true, AttachStdout: true, AttachStderr: true, Tty: tty },
          Cmd: ['sh', '-c', TALK],
        });
        const { Id } = made.json as { Id: string };
        const victim = client({
          ...{ method: 'POST', path: `/exec/${Id}/start`, body: { Tty: tty }, upgrade: true },
        });
        await MOMENTS[moment]?.(victim, box);
        DEATHS[death]?.(victim);
        if (death === 'half-closed')
          expect(heard(tty, await victim.rest()) === said(tty), `${cell}: it hears all`).toBe(true);
        await until(
          `${cell}: its end`,
          async () => {
            const { json } = await d.api('GET', `/exec/${Id}/json`);
            const { Running, ExitCode } = json as { Running: boolean; ExitCode: number | null };
            // One that died before its request was read has started nothing.
            return Running === false && (ExitCode === 5 || (ExitCode === null && moment !== 'in the middle'));
          },
          30_000,
        );
        victim.socket.destroy();
      }),
    );
    expect((await d.api('DELETE', `/containers/${box.id}?force=1`)).status).toBe(204);
    await sameDaemon();
  });

  test('M2: one whose client sleeps keeps nobody from removing the container', async () => {
    const box = await create(false, 'sleep 600');
    await start(box);
    const sleepers = await times(2, async (tty) => {
      const made = await d.api('POST', `/containers/${box.id}/exec`, {
        ...{ AttachStdout: true, Tty: tty === 1 },
        Cmd: [FLOOD],
      });
      const { Id } = made.json as { Id: string };
      const path = `/exec/${Id}/start`;
      const sleeper = client({ method: 'POST', path, body: { Tty: tty === 1 }, upgrade: true });
      await until('it hears something', () => sleeper.received() > 4096);
      sleeper.sleep();
      return sleeper;
    });
    expect((await d.api('DELETE', `/containers/${box.id}?force=1`)).status).toBe(204);
    for (const { socket } of sleepers) socket.destroy();
    await sameDaemon();
  });

  test('C10: the header comes alone, before the process says anything', async () => {
    const box = await create(false, 'sleep 600');
    await start(box);
    await times(5, async () => {
      const made = await d.api('POST', `/containers/${box.id}/exec`, {
        ...{ AttachStdout: true, Tty: true },
        Cmd: ['echo', 'out'],
      });
      const { Id } = made.json as { Id: string };
      const reader = client({
        method: 'POST',
        path: `/exec/${Id}/start`,
        body: { Tty: true },
        upgrade: true,
      });
      const first = await new Promise<Buffer>((resolve) => reader.socket.once('data', resolve));
      expect(first.toString().endsWith('\r\n\r\n')).toBe(true);
      expect((await reader.rest()).toString()).toBe('out\r\n');
      reader.socket.destroy();
    });
    expect((await d.api('DELETE', `/containers/${box.id}?force=1`)).status).toBe(204);
  });
});

test('C12: who hears of the end sees it in every other answer: the exit code, and networks that are free', async () => {
  for (let round = 0; round < 10; round++) {
    await d.docker('network', 'create', 'brief');
    const id = await d.docker('create', '--network', 'brief', 'alpine', 'sh', '-c', 'echo said; exit 7');
    const attached = client({
      method: 'POST',
      path: `/containers/${id}/attach?stream=1&stdout=1`,
      upgrade: true,
    });
    const heard = new Promise((resolve) => attached.socket.once('end', resolve));
    await attached.header();
    await d.api('POST', `/containers/${id}/start`);
    await heard;
    const [{ json }, removed] = await Promise.all([
      d.api('GET', `/containers/${id}/json`),
      d.api('DELETE', '/networks/brief'),
    ]);
    expect(json).toMatchObject({ State: { Running: false, ExitCode: 7 } });
    expect(removed.status).toBe(204);
    attached.socket.destroy();
    await d.docker('rm', id);
  }
});

test('C12: who hears of the end has the last output already', async () => {
  const filters = encodeURIComponent(JSON.stringify({ type: ['container'], event: ['die'] }));
  const events = client({ method: 'GET', path: `/events?filters=${filters}` });
  await events.header();
  let told = '';
  let look = (): void => {};
  events.socket.on('data', (chunk: Buffer) => {
    told += chunk.toString();
    look();
  });
  for (let round = 0; round < 20; round++) {
    const box = await create(false, 'echo last words');
    const reader = client(attachTo(box));
    await reader.header();
    const before = reader.received();
    const heardThen = new Promise<number>((resolve) => {
      // What was written before the event is there when the event is: one more look at the other socket is due.
      look = () => {
        if (told.includes(box.id))
          setImmediate(() => setImmediate(() => resolve(reader.received() - before)));
      };
    });
    await start(box);
    expect(await heardThen).toBe('last words\n'.length + 8);
    reader.socket.destroy();
    expect((await d.api('DELETE', `/containers/${box.id}`)).status).toBe(204);
  }
  events.socket.destroy();
});

describe('files, images and reports', () => {
  /** The beginning of a tar: one file of a gigabyte is announced. */
  const beginning = (): Buffer => {
    const header = Buffer.alloc(512);
    header.write('big', 0);
    header.write('0000644\0', 100);
    header.write('0000000\0', 108);
    header.write('0000000\0', 116);
    header.write('10000000000\0', 124);
    header.write('00000000000\0', 136);
    header.write('        0', 148);
    header.write('ustar\x0000', 257);
    const sum = header.reduce((total, byte) => total + byte, 0);
    header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
    return Buffer.concat([header, Buffer.alloc(300_000, 'x')]);
  };
  const REQUESTS: Readonly<Record<string, (id: string) => RawRequest>> = {
    'cp out': (id) => ({ method: 'GET', path: `/containers/${id}/archive?path=/big` }),
    export: (id) => ({ method: 'GET', path: `/containers/${id}/export` }),
    'cp in': (id) => ({ method: 'PUT', path: `/containers/${id}/archive?path=/tmp`, body: beginning() }),
    save: () => ({ method: 'GET', path: '/images/alpine/get' }),
    load: () => ({ method: 'POST', path: '/images/load', body: beginning() }),
    import: () => ({ method: 'POST', path: '/images/create?fromSrc=-', body: beginning() }),
    build: () => ({ method: 'POST', path: '/build', body: beginning() }),
    events: () => ({ method: 'GET', path: '/events?since=1' }),
    stats: (id) => ({ method: 'GET', path: `/containers/${id}/stats` }),
    wait: (id) => ({ method: 'POST', path: `/containers/${id}/wait`, body: {} }),
  };

  test.each(Object.entries(REQUESTS))('M2 C1: %s, however its client dies', async (_, ask) => {
    const box = await create(false, 'head -c 3000000 /dev/zero >/big; echo ready; sleep 600');
    const survivor = client(attachTo(box));
    await survivor.header();
    const before = survivor.received();
    await start(box);
    await until('the file', () => survivor.received() > before);
    const sleeper = client(ask(box.id));
    sleeper.sleep();
    await Promise.all(
      Object.values(DEATHS).flatMap((death) =>
        [false, true].map(async (later) => {
          const victim = client(ask(box.id));
          // Its request was read, and as much of its body as the daemon takes.
          if (later) await times(3, () => d.api('GET', '/_ping'));
          death(victim);
          await d.api('GET', '/_ping');
          victim.socket.destroy();
        }),
      ),
    );
    expect((await d.api('DELETE', `/containers/${box.id}?force=1`)).status).toBe(204);
    await survivor.rest();
    sleeper.socket.destroy();
    await sameDaemon();
  });
});

describe('the last answer and the stop', () => {
  const execOf = async (box: Box, command: string): Promise<RawRequest> => {
    const made = await d.api('POST', `/containers/${box.id}/exec`, {
      ...{ AttachStdin: true, AttachStdout: true },
      Cmd: [command],
    });
    const { Id } = made.json as { Id: string };
    return { method: 'POST', path: `/exec/${Id}/start`, body: {}, upgrade: true };
  };
  /** Connections that Node knows nothing of once they are taken over. */
  const taken = async (box: Box): Promise<readonly RawRequest[]> => [
    await execOf(box, 'no-such-program'),
    await execOf(box, 'true'),
    { method: 'POST', path: `/containers/${box.id}/attach`, upgrade: true },
    { method: 'POST', path: '/containers/no-such-container/attach?stream=1', upgrade: true },
  ];

  test('M2: a client that says something behind its answer and dies leaves no connection', async () => {
    const box = await create(false, 'sleep 600');
    await start(box);
    const clients = await Promise.all((await taken(box)).map(async (request) => client(request)));
    const open = (): number => openConnections(d.socket);
    const before = open();
    expect(before).toBeGreaterThanOrEqual(clients.length);
    for (const each of clients) {
      await each.header();
      await new Promise<void>((resolve) => void each.socket.end('more', resolve));
      each.socket.destroy();
    }
    await until('they are gone', () => open() <= before - clients.length);
    expect((await d.api('DELETE', `/containers/${box.id}?force=1`)).status).toBe(204);
    await sameDaemon();
  });

  test('M2: a stop waits for no client that reads no more or does not close', async () => {
    const box = await create(false, FLOOD);
    await start(box);
    const requests = [
      ...(await taken(box)),
      await execOf(box, FLOOD),
      attachTo(box),
      { method: 'GET', path: `/containers/${box.id}/logs?follow=1&stdout=1` },
      { method: 'GET', path: '/events?since=1' },
    ];
    const clients = [...requests, ...requests].map(client);
    for (const each of clients) await each.header();
    for (const each of clients.slice(requests.length)) each.sleep();
    expect(await d.terminate()).toBe(0);
    expect(d.log()).not.toContain('does not let go');
    for (const { socket } of clients) socket.destroy();
    await d.start();
    pid = d.pid();
    expect((await d.api('DELETE', `/containers/${box.id}?force=1`)).status).toBe(204);
  });
});
