/** An engine's records, disk and kernel in memory, and the view of them that decisions read: no root, no clock, no plugin. */
import { EMPTY_RESOLV_CONF } from '../../src/dns/resolv-conf.js';
import { DRIVERS } from '../../src/drivers/index.js';
import type { Model } from '../../src/engine/commit/model.js';
import { TABLES, type Table } from '../../src/engine/commit/tables.js';
import type { Fresh } from '../../src/engine/decision.js';
import type { View } from '../../src/engine/view.js';
import { Subnets } from '../../src/ipam/subnets.js';
import type { Container } from '../../src/model/container.js';
import type { ContainerId } from '../../src/model/ids.js';
import { objectKey } from '../../src/plan/objects.js';
import { commitInMemory } from './commit.js';
import { CONFIG } from './fake-engine.js';
import { HOST } from './views.js';

/** 64 hex digits that are the number's alone. */
export const freshOf = (n: number): Fresh => ({
  id: n.toString(16).padStart(64, '0'),
  now: '2026-01-01T00:00:00.000000000Z',
});

export const aContainer = (
  changes: Partial<Container> & { readonly id: string; readonly name: string },
): Container => {
  const { id, ...rest } = changes;
  return {
    createdAt: '2026-01-01T00:00:00.000000000Z',
    imageId: 'sha256:00',
    imageName: 'busybox',
    // As far as networks are concerned.
    config: {
      Hostname: id.slice(0, 12),
      Domainname: '',
      Labels: {},
      Env: [],
    } as unknown as Container['config'],
    hostConfig: {
      NetworkMode: 'default',
      PortBindings: {},
      PublishAllPorts: false,
      RestartPolicy: { Name: 'no', MaximumRetryCount: 0 },
      AutoRemove: false,
    },
    networks: [],
    mounts: [],
    args: ['sh'],
    state: {
      status: 'created',
      pid: 0,
      exitCode: 0,
      error: '',
      oomKilled: false,
      startedAt: '',
      finishedAt: '',
    },
    restartCount: 0,
    stoppedByUser: false,
    sandboxId: null,
    endpointIds: [],
    ...rest,
    id: id as ContainerId, // the brand is the test's to give
  };
};

/** By id: what went and came back has another place than before, and so it has after a restart. */
const sorted = <T>(records: ReadonlyMap<string, T>): readonly (readonly [string, T])[] =>
  [...records].sort(([a], [b]) => (a < b ? -1 : 1));

export const createWorld = () => {
  const { model, kernel, records, ledger, derive } = commitInMemory();
  const holds = (protocol: string, port: number): boolean =>
    [...model.sandboxes.values()].some(({ bindings }) =>
      bindings.some((b) => b.protocol === protocol && port >= b.hostPort && port < b.hostPort + b.count),
    );
  const view: View = {
    config: CONFIG,
    host: HOST,
    facts: {
      subnets: () => new Subnets(),
      forwardsIpv4: () => true,
      resolvConf: () => EMPTY_RESOLV_CONF,
      link: () => undefined,
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
  /** All that a refused or merely looked-at decision may not change. A sysctl that was written stays written. */
  const state = () => ({
    records: Object.fromEntries(
      (Object.keys(TABLES) as Table[]).map((table) => [table, sorted(model.tables[table].records)]),
    ),
    taken: takenOf(model),
    disk: sorted(records),
    kernel: kernel
      .objects()
      .filter(({ kind }) => kind !== 'sysctl')
      .map(objectKey)
      .sort(),
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
