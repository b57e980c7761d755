/** Calls that may get an answer or not: of everybody, to every address that somebody has in one of several worlds. */
import type { Model } from '../../src/engine/commit/model.js';
import { vipsOf } from '../../src/model/balancer.js';
import type { Protocol } from '../../src/model/port.js';
import { ADDRESSES, THEIRS } from './machine/host.js';
import { type Call, HOST_PORTS, reach } from './machine/way.js';
import { bare, familyOf, type World } from './machine/world.js';
import type { View } from './who-reaches-whom.js';

type Records = Pick<Model, 'networks' | 'endpoints' | 'sandboxes' | 'tables'>;

/** What containers listen on: published by some, by none, and what links open. */
const DOORS = [80, 81, 5432] as const;

const sourcesIn = ({ sandboxes }: Records): readonly string[] =>
  [...sandboxes.values()].flatMap(({ mode, netns }) => (mode === 'private' ? [netns] : []));

const containersIn = ({ endpoints }: Records): readonly string[] =>
  [...endpoints.values()].flatMap(({ ipv4, ipv6 }) => [ipv4, ipv6].flatMap((a) => (a ? [bare(a)] : [])));

const gatewaysIn = ({ networks }: Records): readonly string[] =>
  [...networks.values()].flatMap(({ pools }) => pools.flatMap(({ gateway }) => gateway ?? []));

const publishedIn = ({ endpoints }: Records): readonly (readonly [number, Protocol])[] =>
  [...endpoints.values()].flatMap(({ bindings }) =>
    bindings.flatMap(({ hostPort, protocol, count }) =>
      hostPort === 0 ? [] : [hostPort, hostPort + count - 1].map((port) => [port, protocol] as const),
    ),
  );

const servicesIn = ({ tables }: Records): readonly string[] =>
  [...tables.balancer.records.values()].flatMap(vipsOf);

const unique = <T>(values: readonly T[]): readonly T[] => [
  ...new Map(values.map((value) => [JSON.stringify(value), value])).values(),
];

/** Addresses that nobody has, for who says that he has them. */
const LIES = { 4: '203.0.113.66', 6: '2001:db8:66::66' } as const;

export const probesOf = (...worlds: readonly Records[]): readonly Call[] => {
  const sources = unique(['host', 'lan', ...worlds.flatMap(sourcesIn)]);
  const containers = unique([...worlds.flatMap(containersIn), ...worlds.flatMap(servicesIn)]);
  const hosts = unique([
    ...Object.values(ADDRESSES.host),
    '127.0.0.1',
    '::1',
    bare(THEIRS.address),
    ...worlds.flatMap(gatewaysIn),
  ]);
  const doors = DOORS.map((port) => [port, 'tcp'] as const);
  const ofHost = [
    ...Object.values(HOST_PORTS).map((port) => [port, 'tcp'] as const),
    ...unique(worlds.flatMap(publishedIn)),
  ];
  const lies = sources.slice(2).flatMap((from) =>
    [...containers, ...hosts].map((to) => {
      const port = containers.includes(to) ? DOORS[0] : HOST_PORTS.ssh;
      return { from, to, port, protocol: 'tcp' as const, as: LIES[familyOf(to)] };
    }),
  );
  return sources.flatMap((from) => [
    ...containers.flatMap((to) => doors.map(([port, protocol]) => ({ from, to, port, protocol }))),
    ...hosts.flatMap((to) => ofHost.map(([port, protocol]) => ({ from, to, port, protocol }))),
    ...Object.values(ADDRESSES.lan).map((to) => ({ from, to, port: 80, protocol: 'tcp' as const })),
    ...lies.filter((lie) => lie.from === from),
  ]);
};

/** As texts: who calls where, and who answers. Calls without an answer are left out. */
const answered = (
  probes: readonly Call[],
  answer: (probe: Call) => string | undefined,
): ReadonlySet<string> =>
  new Set(
    probes.flatMap((probe) => {
      const found = answer(probe);
      const { from, to, port, protocol, as } = probe;
      const who = as === undefined ? from : `${from} as ${as}`;
      return found === undefined ? [] : [`${who} → ${to} ${port}/${protocol}: ${found}`];
    }),
  );

export const reached = (world: World, probes: readonly Call[]): ReadonlySet<string> =>
  answered(probes, (call) => reach(world, call));

export const promised = (view: View, probes: readonly Call[]): ReadonlySet<string> =>
  answered(probes, ({ from, to, port, protocol }) => view.reach(from, to, port, protocol));

/** What is asked by who says who he is. */
export const honest = (probes: readonly Call[]): readonly Call[] =>
  probes.filter(({ as }) => as === undefined);
