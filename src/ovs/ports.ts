/** What is plugged into a switch, as OVSDB operations; neighbouring steps of a plan are one transaction. */
import { defined } from '../defined.js';
import { conflict, invalid } from '../errors.js';
import { type OvsPortObject, type OvsTunnel, objectKey } from '../plan/objects.js';
import type { Step } from '../plan/plan.js';
import { isMarked, refusalsOf } from './bridges.js';
import { insert, insertPort, plug, unplug, update } from './operations.js';
import type { Ovsdb } from './ovsdb.js';
import { FOR_PORT, ROLE } from './state.js';
import { unlessSilent } from './stream.js';
import { leaveUplink, takeUplink } from './uplink.js';
import { map, NONE, named, type Operation, optional, type Row, set, textOf, uuid, uuidOf } from './values.js';

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
        ...checksum(tunnel),
        ...defined({
          local_ip: tunnel.local,
          key: tunnel.key?.toString(),
          dst_port: tunnel.port?.toString(),
        }),
      }
    : {};

/** A tag alone is an access port; with trunks beside it the tag is what arrives untagged. */
const vlanMode = ({ tag, trunks }: OvsPortObject): string | undefined => {
  if (tag === undefined) return trunks === undefined ? undefined : 'trunk';
  return trunks === undefined ? 'access' : 'native-untagged';
};

const shaping = (o: OvsPortObject, n: number): readonly Operation[] => {
  if (!o.shaping) return [];
  const { max, min } = o.shaping;
  const rates = { 'max-rate': bits(max), ...(min === undefined ? {} : { 'min-rate': bits(min) }) };
  const external_ids = map({ [FOR_PORT]: o.name });
  return [
    insert('Queue', `queue${n}`, { other_config: map(rates), external_ids }),
    insert('QoS', `qos${n}`, {
      type: 'linux-htb',
      other_config: map({ 'max-rate': bits(max) }),
      queues: ['map', [[0, named(`queue${n}`)]]],
      external_ids,
    }),
  ];
};

const cardRow = (o: OvsPortObject): Row => ({
  type: interfaceType(o.tunnel),
  options: map(optionsOf(o)),
  mtu_request: optional(o.mtu),
  external_ids: map({ ...o.externalIds, [ROLE]: o.role }),
});

const portRow = (o: OvsPortObject, n: number): Row => ({
  tag: optional(o.tag),
  trunks: set(o.trunks ?? []),
  vlan_mode: optional(vlanMode(o)),
  protected: o.protected,
  qos: o.shaping ? named(`qos${n}`) : NONE,
  external_ids: map({ ...o.externalIds, [ROLE]: o.role }),
});

const plugAnew = (o: OvsPortObject, n: number): readonly Operation[] => [
  ...shaping(o, n),
  ...insertPort(o.bridge, { name: o.name, ...cardRow(o) }, { name: o.name, ...portRow(o, n) }, n),
];

/** QoS and Queue are nobody's but ours, and are not collected with the port. */
const dropShaping = (name: string): readonly Operation[] => [
  update('Port', name, { qos: NONE }),
  ...['QoS', 'Queue'].map((table) => ({
    op: 'delete',
    table,
    where: [['external_ids', 'includes', map({ [FOR_PORT]: name })]],
  })),
];

const remove = (name: string, row: Row): readonly Operation[] => [unplug(row), ...dropShaping(name)];

/** In place: the port keeps its number, by which flows know it. */
const change = (o: OvsPortObject, n: number, row: Row): readonly Operation[] => [
  ...dropShaping(o.name),
  ...shaping(o, n),
  update('Interface', o.name, cardRow(o)),
  update('Port', o.name, portRow(o, n)),
  unplug(row, o.bridge),
  plug(o.bridge, uuid(uuidOf(row))),
];

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

  /** What takes away those of the ports that are there and ours. */
  #removals(objects: readonly OvsPortObject[]): readonly Operation[] {
    const rows = this.#rows(objects.map((o) => o.name));
    return [...rows].flatMap(([name, row]) => (isMarked(row) ? remove(name, row) : []));
  }

  /** Gone is success; so is an Open vSwitch that is silent: what is left there is taken away when it comes back. */
  #unplug(objects: readonly OvsPortObject[]): void {
    const answered = unlessSilent(() => {
      const operations = this.#removals(objects);
      if (operations.length > 0) this.db.change(operations);
      for (const { role, name } of objects) if (role === 'uplink') leaveUplink(name);
    });
    if (!answered) this.owed();
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
      if (op === 'delete') return row ? remove(object.name, row) : [];
      return row ? change(object, n, row) : plugAnew(object, n);
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
    const silent = 'it has no port number; is there such a bridge?';
    const refusals = refusalsOf(
      this.db,
      objects.map(({ name }) => name),
      silent,
    );
    objects.forEach((o, i) => {
      if (refusals[i])
        throw invalid(
          `Open vSwitch could not plug ${o.name} into ${o.bridge}: ${refusals[i]} (${objectKey(o)})`,
        );
    });
  }

  #takeBack(objects: readonly OvsPortObject[]): void {
    if (objects.length > 0) unlessSilent(() => this.db.note(this.#removals(objects)));
  }
}
