/**
 * Switches and the host's interfaces on them, as OVSDB operations. Pure but for `Bridges`, which asks what is there first:
 * what has our name but not our mark is never changed. A bridge of ours to which others plugged something is handed over.
 */
import { conflict } from '../errors.js';
import type { OvsBridgeObject, OvsLink } from '../plan/objects.js';
import type { Ovsdb } from './ovsdb.js';
import { MARK, NAMED } from './state.js';
import {
  called,
  map,
  NONE,
  named,
  numberOf,
  type Operation,
  type Row,
  recordOf,
  set,
  textOf,
  uuid,
  uuidOf,
  uuidsOf,
} from './values.js';

const ROOT = 'Open_vSwitch';

/**
 * A bridge of ours is closed without our flows, so that a restart of ovs-vswitchd, which loses them, opens nothing. One
 * that the user named may have others' ports: it switches without us.
 */
const failMode = (byUser: boolean) => (byUser ? NONE : 'secure');

const insertBridge = ({
  name,
  datapath,
  mac,
  mtu,
  owner,
  named: byUser,
}: OvsBridgeObject): readonly Operation[] => [
  {
    op: 'insert',
    table: 'Interface',
    row: { name, type: 'internal', mtu_request: mtu || NONE },
    'uuid-name': 'card',
  },
  { op: 'insert', table: 'Port', row: { name, interfaces: named('card') }, 'uuid-name': 'port' },
  {
    op: 'insert',
    table: 'Bridge',
    row: {
      name,
      ports: named('port'),
      datapath_type: datapath,
      fail_mode: failMode(byUser),
      other_config: map({ hwaddr: mac }),
      external_ids: map({ [MARK]: owner, ...(byUser ? { [NAMED]: 'true' } : {}) }),
    },
    'uuid-name': 'bridge',
  },
  { op: 'mutate', table: ROOT, where: [], mutations: [['bridges', 'insert', set([named('bridge')])]] },
];

const updateBridge = ({
  name,
  datapath,
  mac,
  mtu,
  owner,
  named: byUser,
}: OvsBridgeObject): readonly Operation[] => [
  {
    op: 'update',
    table: 'Bridge',
    where: called(name),
    row: { datapath_type: datapath, fail_mode: failMode(byUser) },
  },
  {
    op: 'mutate',
    table: 'Bridge',
    where: called(name),
    mutations: [
      ['other_config', 'delete', set(['hwaddr'])],
      ['other_config', 'insert', map({ hwaddr: mac })],
      ['external_ids', 'delete', set([MARK, NAMED])],
      ['external_ids', 'insert', map({ [MARK]: owner, ...(byUser ? { [NAMED]: 'true' } : {}) })],
    ],
  },
  { op: 'update', table: 'Interface', where: called(name), row: { mtu_request: mtu || NONE } },
];

/** Others' ports go on: the bridge is theirs from now on, and switches without us. */
const handOver = (name: string): readonly Operation[] => [
  { op: 'update', table: 'Bridge', where: called(name), row: { fail_mode: NONE } },
  ...(['Bridge', 'Port'] as const).map((table) => ({
    op: 'mutate',
    table,
    where: called(name),
    mutations: [['external_ids', 'delete', set([MARK, NAMED])]],
  })),
];

const deleteBridge = (id: string): readonly Operation[] => [
  { op: 'mutate', table: ROOT, where: [], mutations: [['bridges', 'delete', set([uuid(id)])]] },
];

const LINK_IDS = (o: OvsLink): Record<string, string> => ({ [MARK]: o.network });

/** The local port is there with its bridge; its MAC and MTU are the bridge's. */
const setLocal = (o: OvsLink): readonly Operation[] => [
  {
    op: 'update',
    table: 'Port',
    where: called(o.name),
    row: { tag: o.tag || NONE, external_ids: map(LINK_IDS(o)) },
  },
];

const insertInternal = (o: OvsLink): readonly Operation[] => [
  {
    op: 'insert',
    table: 'Interface',
    row: { name: o.name, type: 'internal', mac: o.mac, mtu_request: o.mtu, external_ids: map(LINK_IDS(o)) },
    'uuid-name': 'card',
  },
  {
    op: 'insert',
    table: 'Port',
    row: { name: o.name, interfaces: named('card'), tag: o.tag || NONE, external_ids: map(LINK_IDS(o)) },
    'uuid-name': 'port',
  },
  {
    op: 'mutate',
    table: 'Bridge',
    where: called(o.bridge),
    mutations: [['ports', 'insert', set([named('port')])]],
  },
];

const updateInternal = (o: OvsLink): readonly Operation[] => [
  { op: 'update', table: 'Interface', where: called(o.name), row: { mac: o.mac, mtu_request: o.mtu } },
  ...setLocal(o),
];

const PORT = ['_uuid', 'name', 'tag', 'external_ids'] as const;
const BRIDGE = ['_uuid', 'name', 'ports', 'external_ids'] as const;

export const isMarked = (row: Row): boolean => recordOf(row.external_ids)[MARK] !== undefined;

const select = (db: Ovsdb, table: string, columns: readonly string[], name: string): Row | undefined =>
  db.select([{ table, columns, name }])[0]?.[0];

/** Why ovs-vswitchd could not make the interface; empty: it could. */
const refusalOf = (db: Ovsdb, name: string): string => {
  const row = select(db, 'Interface', ['error', 'ofport'], name);
  if (!row) return 'it is gone again';
  const error = textOf(row.error);
  return error !== '' || (numberOf(row.ofport) ?? -1) >= 0 ? error : 'it has no port number';
};

export class Bridges {
  constructor(private readonly db: Ovsdb) {}

  create(o: OvsBridgeObject): void {
    const known = this.#bridge(o.name);
    if (known && !isMarked(known)) {
      if (!o.named) throw conflict(`an Open vSwitch bridge ${o.name} exists already and is not ours`);
      return;
    }
    this.db.change(known ? updateBridge(o) : insertBridge(o));
    const error = refusalOf(this.db, o.name);
    if (error === '') return;
    if (!known) this.delete(o);
    throw conflict(`Open vSwitch could not make the bridge ${o.name}: ${error}`);
  }

  /** What is not ours stays. */
  delete({ name }: OvsBridgeObject): void {
    const known = this.#bridge(name);
    if (!known || !isMarked(known)) return;
    const ports = this.db.tables({ Port: PORT }).Port ?? [];
    const plugged = new Set(uuidsOf(known.ports));
    const others = ports.some((p) => plugged.has(uuidOf(p)) && p.name !== name && !isMarked(p));
    this.db.change(others ? handOver(name) : deleteBridge(uuidOf(known)));
  }

  createLink(o: OvsLink): void {
    const known = select(this.db, 'Port', PORT, o.name);
    if (!known && o.name === o.bridge) throw conflict(`there is no Open vSwitch bridge ${o.bridge}`);
    if (known && o.name !== o.bridge && !isMarked(known))
      throw conflict(`an Open vSwitch port ${o.name} exists already and is not ours`);
    if (!known && !this.#bridge(o.bridge)) throw conflict(`there is no Open vSwitch bridge ${o.bridge}`);
    if (o.name === o.bridge) this.db.change(setLocal(o));
    else this.db.change(known ? updateInternal(o) : insertInternal(o));
    const error = refusalOf(this.db, o.name);
    if (error === '') return;
    if (!known) this.deleteLink(o);
    throw conflict(`Open vSwitch could not make the interface ${o.name}: ${error}`);
  }

  deleteLink(o: OvsLink): void {
    const known = select(this.db, 'Port', PORT, o.name);
    if (!known || !isMarked(known) || o.name === o.bridge) return;
    this.db.change([
      {
        op: 'mutate',
        table: 'Bridge',
        where: [['ports', 'includes', set([uuid(uuidOf(known))])]],
        mutations: [['ports', 'delete', set([uuid(uuidOf(known))])]],
      },
    ]);
  }

  #bridge(name: string): Row | undefined {
    return select(this.db, 'Bridge', BRIDGE, name);
  }
}
