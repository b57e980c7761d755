/** Which networks a new one is compared with is looked up (`Model.mayClash`): it must be refused where a look at all would refuse it. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { DRIVERS, driverOf } from '../../src/drivers/index.js';
import { Model } from '../../src/engine/commit/model.js';
import { put } from '../../src/engine/commit/tables.js';
import type { Network } from '../../src/model/network.js';
import { aNetwork, HOST } from '../support/views.js';

const NAME = 'com.docker.network.bridge.name';
const DEFAULT = 'com.docker.network.bridge.default_bridge';

const idOf = (n: number): string => n.toString(16).repeat(64);
/** Interfaces that users name: some of them what other networks, or docker0, are called without. */
const names = fc.constantFrom(
  'br0',
  'docker0',
  'eth0',
  'eth0.50',
  `br-${idOf(1).slice(0, 12)}`,
  `dm-${idOf(2).slice(0, 12)}`,
);
/** Of our own IPAM: each number has a subnet to itself. */
const ownPool = (n: number) =>
  ({ family: 4, subnet: `10.0.${n}.0/24`, gateway: `10.0.${n}.1`, auxiliary: {} }) as const;
/** A plugin may give whatever it likes. */
const pluginPool = (n: number) =>
  ({
    family: 4,
    subnet: `10.0.${4 * Math.floor(n / 4)}.0/22`,
    gateway: `10.0.${n}.1`,
    auxiliary: {},
  }) as const;

const network = (n: number): fc.Arbitrary<Network> =>
  fc
    .record({
      driver: fc.constantFrom('bridge', 'bridge', 'macvlan', 'ipvlan', 'ovs', 'host'),
      name: fc.option(names, { nil: undefined }),
      isDefault: fc.boolean(),
      passthru: fc.boolean(),
      plugin: fc.boolean(),
      configOnly: fc.boolean(),
    })
    .map(({ driver, name, isDefault, passthru, plugin, configOnly }) =>
      aNetwork({
        id: idOf(n),
        name: `n${n}`,
        driver,
        // nobody can make one of these
        configOnly: configOnly && driver !== 'host',
        pools: [plugin ? pluginPool(n) : ownPool(n)],
        ipam: { driver: plugin ? 'theirs' : 'default', options: null, config: [] },
        options: {
          ...(name === undefined ? {} : { [NAME]: name, parent: name }),
          ...(isDefault ? { [DEFAULT]: 'true' } : {}),
          ...(passthru ? { macvlan_mode: 'passthru' } : {}),
        },
      }),
    );

const networks = fc.tuple(...[1, 2, 3, 4, 5, 6].map(network));

const refuses = (asked: Network, others: readonly Network[]): boolean => {
  try {
    driverOf(asked, DRIVERS).validate(asked, others, HOST);
    return false;
  } catch {
    return true;
  }
};

test('a network is refused beside those that are looked up where it would be beside all', () => {
  let [refused, taken] = [0, 0];
  fc.assert(
    fc.property(networks, ([asked, ...others]) => {
      fc.pre(asked !== undefined && !asked.configOnly);
      const model = new Model();
      for (const other of others) model.change(put('network', other));
      const all = refuses(asked, others);
      if (all) refused += 1;
      else taken += 1;
      expect(refuses(asked, model.mayClash(asked))).toBe(all);
    }),
    { numRuns: 500 * Number(process.env.PROPERTY_RUNS ?? 1) },
  );
  expect(Math.min(refused, taken)).toBeGreaterThan(20);
});
