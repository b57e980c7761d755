/**
 * One of a thousand backends of a service changes: from the list of objects as it is wanted now until the kernel has it, on a machine of
 * its own (this process's network namespace). A line `address <path>` on standard input is for a service's address in the sandbox at the
 * path, `port` for a published port of the host; it is answered by a line of JSON: milliseconds by what is changed.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { meshObjects } from '../../src/firewall/index.js';
import { createKernel } from '../../src/kernel/index.js';
import { createNftables } from '../../src/kernel/nftables/index.js';
import { createOvs } from '../../src/ovs/index.js';
import { diff } from '../../src/plan/diff.js';
import type { KernelObject } from '../../src/plan/objects.js';

const BACKENDS = 1000;
const ROUNDS = 200;
const PORT = { protocol: 'tcp', hostIp: '0.0.0.0', hostPort: 80, containerPort: 80, count: 1 } as const;

const addressOf = (n: number): string => `10.95.${n >> 8}.${n & 255}`;

const inAddress =
  (ns: string) =>
  (backends: readonly string[]): readonly KernelObject[] => [
    { kind: 'services', ns, services: [{ address: '10.95.255.254', backends }] },
  ];

/** But for the socket that holds the port, which no change touches. */
const inPort = (backends: readonly string[]): readonly KernelObject[] =>
  meshObjects({ bindings: [PORT], backends: { 4: backends, 6: [] } });

const namespaces = mkdtempSync(join(tmpdir(), 'viaduct-bench-'));
process.on('exit', () => rmSync(namespaces, { recursive: true, force: true }));
const nobody = { create: () => {}, delete: () => {}, has: () => true, list: () => [] };
const nftables = createNftables();
const kernel = createKernel({
  nftables,
  hostPorts: nobody,
  resolvers: nobody,
  ovs: createOvs({ runDirectory: '/run/openvswitch', wanted: () => false }),
  namespaces,
  services: () => true,
});
kernel.ensureTables();

const measure = (
  objects: (backends: readonly string[]) => readonly KernelObject[],
): Readonly<Record<string, readonly number[]>> => {
  let backends: readonly string[] = Array.from({ length: BACKENDS }, (_, n) => addressOf(n));
  let next = BACKENDS;
  let now = objects(backends);
  kernel.apply(diff([], now));
  const change = (wanted: readonly string[]): number => {
    backends = wanted;
    const begin = performance.now();
    const then = objects(wanted);
    kernel.apply(diff(now, then));
    const ms = performance.now() - begin;
    now = then;
    return ms;
  };
  const times: Record<'replaced' | 'gone' | 'come', number[]> = { replaced: [], gone: [], come: [] };
  for (let round = 0; round < ROUNDS; round += 1) {
    const at = (round * 397) % backends.length;
    next += 1;
    times.replaced.push(change(backends.with(at, addressOf(next))));
    // What goes leaves its place to the last one, and what comes is the last.
    times.gone.push(change(backends.with(at, backends.at(-1) ?? '').slice(0, -1)));
    next += 1;
    times.come.push(change([...backends, addressOf(next)]));
  }
  kernel.apply(diff(now, []));
  return times;
};

process.stdout.write('ready\n');
createInterface({ input: process.stdin }).on('line', (line) => {
  const [what, path = ''] = line.split(' ');
  process.stdout.write(`${JSON.stringify(measure(what === 'port' ? inPort : inAddress(path)))}\n`);
});
