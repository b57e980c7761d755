/** An engine's records, disk and machine in memory, and the view of them that decisions read: no root, no clock, no plugin. */
import { EMPTY_RESOLV_CONF } from '../../src/dns/resolv-conf.js';
import { DRIVERS } from '../../src/drivers/index.js';
import { createDerive } from '../../src/engine/commit/derive.js';
import type { Model } from '../../src/engine/commit/model.js';
import { TABLES, type Table } from '../../src/engine/commit/tables.js';
import type { NetworkCreateRequest } from '../../src/engine/contract.js';
import type { Fresh } from '../../src/engine/decision.js';
import type { View } from '../../src/engine/view.js';
import { apiElements, relayElements } from '../../src/firewall/index.js';
import { Subnets } from '../../src/ipam/subnets.js';
import { commitOn } from './commit-on.js';
import { CONFIG } from './fake-engine.js';
import { aHost, THEIRS } from './machine/host.js';
import { said, sysctlsSaid } from './machine/said.js';
import { HOST_PORTS } from './machine/way.js';
import { HOST } from './views.js';

/** A network of the name as the API asks for one where the user says no more. */
export const aRequest = (name: string): NetworkCreateRequest => ({
  name,
  driver: 'bridge',
  scope: '',
  internal: false,
  attachable: false,
  ingress: false,
  configOnly: false,
  configFrom: '',
  options: {},
  labels: {},
  ipam: { driver: '', options: null, config: [] },
});

/** 64 hex digits that are the number's alone, the first of them already: names of interfaces are made of those. */
export const freshOf = (n: number): Fresh => ({
  id: n.toString(16).padStart(4, '0').repeat(16),
  now: '2026-01-01T00:00:00.000000000Z',
});

/** By id: what went and came back has another place than before, and so it has after a restart. */
const sorted = <T>(records: ReadonlyMap<string, T>): readonly (readonly [string, T])[] =>
  [...records].sort(([a], [b]) => (a < b ? -1 : 1));

/** What the daemon has of its own: a relay, and an API over TCP. */
const DAEMON = [...relayElements(40_001), ...apiElements([HOST_PORTS.api])];

/** The bridge of somebody else's, as a network finds it that is to stand on it. */
const THEIR_BRIDGE = {
  bridge: true,
  ours: false,
  addresses: [THEIRS.address],
  mtu: 1500,
  routeLocalnet: false,
} as const;

export type DecidingWorld = ReturnType<typeof createWorld>;

/** `pluginLinks`: what plugins will have made on the host. */
export const createWorld = (pluginLinks: readonly string[] = []) => {
  const pure = createDerive({ host: HOST, drivers: DRIVERS, daemon: DAEMON });
  const { model, kernel, records, ledger, derive } = commitOn(aHost(pluginLinks), pure);
  // As a daemon's start does: the host's own slice is there before any command.
  kernel.apply(derive(model, { kind: 'host' }).map((object) => ({ op: 'create', object })));
  const holds = (protocol: string, port: number): boolean =>
    [...model.sandboxes.values()].some(({ bindings }) =>
      bindings.some((b) => b.protocol === protocol && port >= b.hostPort && port < b.hostPort + b.count),
    );
  const view: View = {
    config: CONFIG,
    host: HOST,
    facts: {
      subnets: () => new Subnets(),
      routesChanged: () => {},
      forwardsIpv4: () => true,
      resolvConf: () => EMPTY_RESOLV_CONF,
      link: (name) => (name === THEIRS.name ? THEIR_BRIDGE : undefined),
      holds: () => true,
      defaultBridge: () => 'docker0',
      gatewayBridge: () => 'docker_gwbridge',
      gatewayAddresses: () => [],
      freePort(protocol, _addresses, from, to, taken) {
        for (let port = from || 32768; port <= (to || 60999); port += 1)
          if (!taken(port) && !holds(protocol, port)) return port;
        throw new Error('the test has run out of ports');
      },
    },
    model,
    drivers: DRIVERS,
    seed: 'seed',
  };
  /** All that a refused or merely looked-at decision may not change. */
  const state = () => ({
    records: Object.fromEntries(
      (Object.keys(TABLES) as Table[]).map((table) => [table, sorted<unknown>(model.tables[table].records)]),
    ),
    taken: takenOf(model),
    disk: sorted(records),
    kernel: said(kernel.world),
    sysctls: sysctlsSaid(kernel.world),
  });
  return { model, kernel, ledger, derive, view, records, state };
};

/** What the indices say of each network: counts, and what would be given next. */
export const takenOf = (model: Model) =>
  sorted(model.networks).map(([, network]) => ({
    name: network.name,
    pools: network.pools.map((pool) => {
      const space = model.addressesOn(network);
      const prefix = { family: pool.family, value: 0n, bits: 0 } as const;
      return { ...space.count(pool), free: space.free(pool), overlaps: model.taken.subnets.overlaps(prefix) };
    }),
  }));
