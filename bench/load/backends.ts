/**
 * One of a thousand backends of a service changes: from the list of objects as it is wanted now until the kernel has it, on a machine of
 * its own (this process's network namespace). A line `address <path>` on standard input is for a service's address in the sandbox at the
 * path, `port` for a published port of the host; it is answered by a line of JSON: milliseconds by what is changed.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { overlay } from '../../src/drivers/overlay/index.js';
import { createKernel } from '../../src/kernel/index.js';
import { createNftables } from '../../src/kernel/nftables/index.js';
import { createOvs } from '../../src/ovs/index.js';
import { diff } from '../../src/plan/diff.js';
import type { KernelObject } from '../../src/plan/objects.js';
import { aBalancer, anOverlay, aView } from '../../test/support/views.js';

const BACKENDS = 1000;
const ROUNDS = 200;
const SUBNET = '10.95.0.0/16';

const addressOf = (n: number): string => `10.95.${n >> 8}.${n & 255}`;

const inAddress =
  (ns: string) =>
  (backends: readonly string[]): readonly KernelObject[] => [
    { kind: 'services', ns, services: [{ address: '10.95.255.254', backends }] },
  ];

const INGRESS = anOverlay({
  ingress: true,
  pools: [{ family: 4, subnet: SUBNET, gateway: '10.95.255.254', auxiliary: {} }],
});
const NODE = aView({ network: INGRESS, place: { attached: true, address: '192.0.2.2', number: 1 } });

/** All that the slice of the balancer has; the socket that holds the port is made up, as no change touches it. */
const inPort = (backends: readonly string[]): readonly KernelObject[] =>
  overlay.balancer?.({
    ...NODE,
    balancer: aBalancer([], {
      networkId: INGRESS.id,
      backends: backends.map((ipv4) => ({ id: ipv4, node: 'one', ipv4 })),
      ports: [{ protocol: 'tcp', publishedPort: 80, targetPort: 80 }],
    }),
  }) ?? [];

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
