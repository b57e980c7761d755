/**
 * Generated clients: each does one thing after the other with networks and containers of its own, and many of its
 * connections die in the middle. What it is refused is only counted; what is not answered in time is a finding.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { TestDaemon } from '../../test/support/daemon.js';
import { type RawRequest, rawClient } from '../../test/support/raw-client.js';

export interface Clients {
  /** operations by name and how they ended: `run 201`, `stop unreachable` */
  readonly counts: ReadonlyMap<string, number>;
  /** answers of 500 and more, and requests that were not answered within half a minute */
  readonly complaints: ReadonlyMap<string, number>;
  stop(): Promise<void>;
}

/** mulberry32: a seed makes the same choices again. */
const random = (seed: number): (() => number) => {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
};

const SCRIPTS = ['sleep 600', 'seq 1 50000; sleep 2', 'cat; exit 3', 'yes | head -c 2000000', 'exit 1'];

export const startClients = (d: TestDaemon, count: number, seed: number): Clients => {
  const counts = new Map<string, number>();
  const complaints = new Map<string, number>();
  let going = true;
  const add = (to: Map<string, number>, key: string): void => void to.set(key, (to.get(key) ?? 0) + 1);

  const client = async (number: number): Promise<void> => {
    const next = random(seed + number);
    const one = <T>(of: readonly T[]): T => of[Math.floor(next() * of.length)] as T; // never of an empty list
    const [network, box] = [`soak-n${number}`, () => `soak-c${number}-${one([1, 2])}`];

    const ask = async (what: string, method: string, path: string, body?: object): Promise<unknown> => {
      try {
        const { status, text, json } = await d.api(method, path, body);
        add(counts, `${what} ${status}`);
        if (status >= 500)
          add(
            complaints,
            `${what} ${status}: ${text
              .trim()
              .replace(/[0-9a-f]{12,64}|soak-[nc][\d-]+/g, '…')
              .slice(0, 200)}`,
          );
        return json;
      } catch (error) {
        const late = error instanceof Error && error.message.includes('no answer');
        add(late ? complaints : counts, `${what} ${late ? 'not answered within 30 s' : 'unreachable'}`);
        return undefined;
      }
    };
    /** A connection that dies some time after it has begun, read or not. */
    const dying = async (what: string, request: RawRequest, input?: Buffer): Promise<void> => {
      const raw = rawClient(d.socket, request);
      if (next() < 0.3) raw.sleep();
      if (input) raw.socket.write(input);
      await sleep(next() * 800);
      if (next() < 0.5) raw.socket.end();
      await sleep(next() * 200);
      raw.socket.destroy();
      add(counts, `${what} left`);
    };
    const create = (name: string): Promise<unknown> => {
      const port =
        next() < 0.3
          ? { PortBindings: { '80/tcp': [{ HostPort: '' }] }, ExposedPorts: { '80/tcp': {} } }
          : {};
      return ask('create', 'POST', `/containers/create?name=${name}`, {
        Image: 'alpine',
        Cmd: ['sh', '-c', one(SCRIPTS)],
        Tty: next() < 0.3,
        OpenStdin: true,
        StdinOnce: next() < 0.5,
        StopTimeout: 0,
        HostConfig: {
          NetworkMode: one([network, 'open', 'none', 'bridge']),
          LogConfig: { Type: 'json-file', Config: { 'max-size': '1m' } },
          ...port,
        },
      });
    };
    const operations: readonly (() => Promise<unknown>)[] = [
      () =>
        ask('network create', 'POST', '/networks/create', {
          Name: network,
          Internal: next() < 0.3,
          EnableIPv6: next() < 0.3,
        }),
      () => ask('network rm', 'DELETE', `/networks/${network}`),
      () =>
        ask('connect', 'POST', `/networks/${one([network, 'open', 'other'])}/connect`, { Container: box() }),
      () =>
        ask('disconnect', 'POST', `/networks/${one([network, 'open', 'other'])}/disconnect`, {
          Container: box(),
          Force: true,
        }),
      () => create(box()),
      async () => {
        const name = box();
        await create(name);
        await dying(
          'run',
          {
            method: 'POST',
            path: `/containers/${name}/attach?stream=1&stdin=1&stdout=1&stderr=1`,
            upgrade: true,
          },
          Buffer.alloc(100_000, 'x\n'),
        );
        await ask('start', 'POST', `/containers/${name}/start`);
      },
      () => ask('start', 'POST', `/containers/${box()}/start`),
      () => ask('start', 'POST', `/containers/${box()}/start`),
      () => ask('stop', 'POST', `/containers/${box()}/stop?t=1`),
      () => ask('restart', 'POST', `/containers/${box()}/restart?t=0`),
      () => ask('pause', 'POST', `/containers/${box()}/${one(['pause', 'unpause'])}`),
      () => ask('rm', 'DELETE', `/containers/${box()}?force=1&v=1`),
      () => ask('list', 'GET', '/containers/json?all=1'),
      () =>
        dying(
          'attach',
          {
            method: 'POST',
            path: `/containers/${box()}/attach?stream=1&stdin=1&stdout=1&stderr=1`,
            upgrade: true,
          },
          Buffer.from('typed\n'),
        ),
      () => dying('logs', { method: 'GET', path: `/containers/${box()}/logs?follow=1&stdout=1&stderr=1` }),
      () => dying('stats', { method: 'GET', path: `/containers/${box()}/stats` }),
      () => dying('events', { method: 'GET', path: '/events' }),
      async () => {
        const made = await ask('exec create', 'POST', `/containers/${box()}/exec`, {
          AttachStdout: true,
          AttachStdin: true,
          Tty: next() < 0.5,
          Cmd: ['sh', '-c', one(SCRIPTS)],
        });
        const { Id } = (made ?? {}) as { Id?: string };
        if (Id) await dying('exec', { method: 'POST', path: `/exec/${Id}/start`, body: {}, upgrade: true });
      },
    ];
    while (going) {
      await one(operations)();
      await sleep(next() * 300);
    }
  };

  const all = Promise.all(Array.from({ length: count }, (_, number) => client(number)));
  return {
    counts,
    complaints,
    async stop() {
      going = false;
      await all;
    },
  };
};
