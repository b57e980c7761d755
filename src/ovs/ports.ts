/** What is plugged into a switch, as OVSDB operations; neighbouring steps of a plan are one transaction. */
import { conflict, invalid } from '../errors.js';
import { type OvsPortObject, type OvsTunnel, objectKey } from '../plan/objects.js';
import type { Step } from '../plan/plan.js';
import { isMarked } from './bridges.js';
import type { Ovsdb } from './ovsdb.js';
import { FOR_PORT, ROLE } from './state.js';
import { isSilence } from './stream.js';
import { leaveUplink, takeUplink } from './uplink.js';
import {
  called,
  map,
  NONE,
  named,
  numberOf,
  type Operation,
  optional,
  type Row,
  set,
  textOf,
  uuid,
  uuidOf,
} from './values.js';

const bits = (kbit: number): string => String(kbit * 1000);

const overIpv6 = ({ remote }: OvsTunnel): boolean => remote.includes(':');

/** To the kernel's module GRE over IPv6 is a device of another kind; over IPv4 it takes no IPv6 peer. */
const interfaceType = (tunnel: OvsTunnel | undefined): string =>
  tunnel?.type === 'gre' && overIpv6(tunnel) ? 'ip6gre' : (tunnel?.type ?? '');

/** UDP over IPv6 has a checksum (RFC 8200); Open vSwitch leaves it out, and peers that are not told to expect that drop it. */
const checksum = (tunnel: OvsTunnel): Record<string, string> =>
  tunnel.type === 'vxlan' && overIpv6(tunnel) ? { csum: 'true' } : {};

const optionsOf = ({ tunnel }: OvsPortObject): Record<string, string> =>
  tunnel
    ? {
        remote_ip: tunnel.remote,
        ...(tunnel.local === undefined ? {} : { local_ip: tunnel.local }),
        ...(tunnel.key === undefined ? {} : { key: String(tunnel.key) }),
        ...(tunnel.port === undefined ? {} : { dst_port: String(tunnel.port) }),
        ...checksum(tunnel),
      }
    : {};

/** A tag alone is an access port; with trunks beside it the tag is what arrives untagged. */
const vlanMode = ({ tag, trunks }: OvsPortObject): string | undefined => {
  if (tag === undefined) return trunks === undefined ? undefined : 'trunk';
  return trunks === undefined ? 'access' : 'native-untagged';
};

/** Names in a transaction must be plain words. */
const word = (prefix: string, index: number): string => `${prefix}${index}`;

const shaping = (o: OvsPortObject, n: number): readonly Operation[] => {
  if (!o.shaping) return [];
  const { max, min } = o.shaping;
  const rates = { 'max-rate': bits(max), ...(min === undefined ? {} : { 'min-rate': bits(min) }) };
  const external_ids = map({ [FOR_PORT]: o.name });
  return [
    {
      op: 'insert',
      table: 'Queue',
      row: { other_config: map(rates), external_ids },
      'uuid-name': word('queue', n),
    },
    {
      op: 'insert',
      table: 'QoS',
      row: {
        type: 'linux-htb',
        other_config: map({ 'max-rate': bits(max) }),
        queues: ['map', [[0, named(word('queue', n))]]],
        external_ids,
      },
      'uuid-name': word('qos', n),
    },
  ];
};

const cardRow = (o: OvsPortObject): Record<string, unknown> => ({
  type: interfaceType(o.tunnel),
  options: map(optionsOf(o)),
  mtu_request: optional(o.mtu),
  external_ids: map({ ...o.externalIds, [ROLE]: o.role }),
});

const portRow = (o: OvsPortObject, n: number): Record<string, unknown> => ({
  tag: optional(o.tag),
  trunks: set(o.trunks ?? []),
  vlan_mode: optional(vlanMode(o)),
  protected: o.protected,
  qos: o.shaping ? named(word('qos', n)) : NONE,
  external_ids: map({ ...o.externalIds, [ROLE]: o.role }),
});

const insert = (o: OvsPortObject, n: number): readonly Operation[] => [
  ...shaping(o, n),
  { op: 'insert', table: 'Interface', row: { name: o.name, ...cardRow(o) }, 'uuid-name': word('card', n) },
  {
    op: 'insert',
    table: 'Port',
    row: { name: o.name, interfaces: named(word('card', n)), ...portRow(o, n) },
    'uuid-name': word('port', n),
  },
  {
    op: 'mutate',
    table: 'Bridge',
    where: called(o.bridge),
    mutations: [['ports', 'insert', set([named(word('port', n))])]],
  },
];

/** QoS and Queue are nobody's but ours, and are not collected with the port. */
const dropShaping = (name: string): readonly Operation[] => [
  { op: 'update', table: 'Port', where: called(name), row: { qos: NONE } },
  ...['QoS', 'Queue'].map((table) => ({
    op: 'delete',
    table,
    where: [['external_ids', 'includes', map({ [FOR_PORT]: name })]],
  })),
];

const unplug = (row: Row): readonly Operation[] => {
  const id = set([uuid(uuidOf(row))]);
  return [
    {
      op: 'mutate',
      table: 'Bridge',
      where: [['ports', 'includes', id]],
      mutations: [['ports', 'delete', id]],
    },
  ];
};

/** In place: the port keeps its number, by which flows know it. */
const update = (o: OvsPortObject, n: number, row: Row): readonly Operation[] => {
  const id = set([uuid(uuidOf(row))]);
  return [
    ...shaping(o, n),
    { op: 'update', table: 'Interface', where: called(o.name), row: cardRow(o) },
    { op: 'update', table: 'Port', where: called(o.name), row: portRow(o, n) },
    {
      op: 'mutate',
      table: 'Bridge',
      where: [
        ['name', '!=', o.bridge],
        ['ports', 'includes', id],
      ],
      mutations: [['ports', 'delete', id]],
    },
    { op: 'mutate', table: 'Bridge', where: called(o.bridge), mutations: [['ports', 'insert', id]] },
  ];
};

type PortStep = Step<OvsPortObject>;

export class Ports {
  constructor(
    private readonly db: Ovsdb,
    /** told of what could not be taken away */
    private readonly owed: () => void,
  ) {}

  run(steps: readonly PortStep[]): void {
    if (steps.every(({ op }) => op === 'delete')) this.#unplug(steps.map(({ object }) => object));
    else this.#plug(steps);
  }

  #rows(names: readonly string[]): ReadonlyMap<string, Row> {
    const columns = ['_uuid', 'name', 'external_ids'];
    const found = this.db.select(names.map((name) => ({ table: 'Port', columns, name })));
    return new Map(found.flatMap(([row]) => (row ? [[textOf(row.name), row] as const] : [])));
  }

  /** Gone is success; so is an Open vSwitch that is silent: what is left there is taken away when it comes back. */
  #unplug(objects: readonly OvsPortObject[]): void {
    try {
      const rows = this.#rows(objects.map((o) => o.name));
      const operations = objects.flatMap(({ name }) => {
        const row = rows.get(name);
        return row && isMarked(row) ? [...unplug(row), ...dropShaping(name)] : [];
      });
      if (operations.length > 0) this.db.change(operations);
      for (const { role, name } of objects) if (role === 'uplink') leaveUplink(name);
    } catch (error) {
      if (!isSilence(error)) throw error;
      this.owed();
    }
  }

  #plug(steps: readonly PortStep[]): void {
    const rows = this.#rows(steps.map(({ object }) => object.name));
    for (const { op, object } of steps) {
      const row = rows.get(object.name);
      if (op !== 'delete' && row && !isMarked(row))
        throw conflict(`${object.name} is plugged into Open vSwitch by somebody else`);
      if (op !== 'delete' && object.role === 'uplink' && !row) takeUplink(object.name);
    }
    const operations = steps.flatMap(({ op, object }, n) => {
      const row = rows.get(object.name);
      if (op === 'delete') return row ? [...unplug(row), ...dropShaping(object.name)] : [];
      return row ? [...dropShaping(object.name), ...update(object, n, row)] : insert(object, n);
    });
    const fresh = steps.flatMap(({ op, object }) =>
      op !== 'delete' && !rows.has(object.name) ? [object] : [],
    );
    try {
      this.db.change(operations);
      this.#check(fresh);
    } catch (error) {
      this.#takeBack(fresh);
      throw error;
    }
  }

  /** ovs-vswitchd says in the database what it could not do. */
  #check(objects: readonly OvsPortObject[]): void {
    const columns = ['name', 'error', 'ofport'];
    const found = this.db.select(objects.map(({ name }) => ({ table: 'Interface', columns, name })));
    objects.forEach((o, i) => {
      const row = found[i]?.[0];
      const error = textOf(row?.error);
      if (error === '' && (numberOf(row?.ofport) ?? -1) >= 0) return;
      const why = error || 'it has no port number; is there such a bridge?';
      throw invalid(`Open vSwitch could not plug ${o.name} into ${o.bridge}: ${why} (${objectKey(o)})`);
    });
  }

  #takeBack(objects: readonly OvsPortObject[]): void {
    if (objects.length === 0) return;
    try {
      const rows = this.#rows(objects.map((o) => o.name));
      this.db.note(
        objects.flatMap(({ name }) => {
          const row = rows.get(name);
          return row ? [...unplug(row), ...dropShaping(name)] : [];
        }),
      );
    } catch (error) {
      if (!isSilence(error)) throw error;
    }
  }
}
