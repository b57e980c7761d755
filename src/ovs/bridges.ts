/**
 * Switches and the host's interfaces on them, as OVSDB operations. Pure but for `Bridges`, which asks what is there first:
 * what has our name but not our mark is never changed. A bridge of ours to which others plugged something is handed over.
 */
import { conflict } from '../errors.js';
import type { OvsBridgeObject, OvsLink } from '../plan/objects.js';
import { called, insert, insertPort, mutate, ROOT, unplug, update } from './operations.js';
import type { Ovsdb } from './ovsdb.js';
import { MARK, NAMED } from './state.js';
import {
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
  type Value,
} from './values.js';

/**
 * A bridge of ours is closed without our flows, so that a restart of ovs-vswitchd, which loses them, opens nothing. One
 * that the user named may have others' ports: it switches without us.
 */
const failMode = (byUser: boolean) => (byUser ? NONE : 'secure');

const settingsOf = ({ datapath, named: byUser }: OvsBridgeObject): Row => ({
  datapath_type: datapath,
  fail_mode: failMode(byUser),
});
const idsOf = ({ owner, named: byUser }: OvsBridgeObject): Value =>
  map({ [MARK]: owner, ...(byUser ? { [NAMED]: 'true' } : {}) });
const mtuOf = ({ mtu }: OvsBridgeObject): Row => ({ mtu_request: mtu || NONE });

const insertBridge = (o: OvsBridgeObject): readonly Operation[] => [
  insert('Interface', 'card', { name: o.name, type: 'internal', ...mtuOf(o) }),
  insert('Port', 'port', { name: o.name, interfaces: named('card') }),
  insert('Bridge', 'bridge', {
    name: o.name,
    ports: named('port'),
    ...settingsOf(o),
    other_config: map({ hwaddr: o.mac }),
    external_ids: idsOf(o),
  }),
  mutate(ROOT, [], ['bridges', 'insert', set([named('bridge')])]),
];

const updateBridge = (o: OvsBridgeObject): readonly Operation[] => [
  update('Bridge', o.name, settingsOf(o)),
  mutate(
    'Bridge',
    called(o.name),
    ['other_config', 'delete', set(['hwaddr'])],
    ['other_config', 'insert', map({ hwaddr: o.mac })],
    ['external_ids', 'delete', set([MARK, NAMED])],
    ['external_ids', 'insert', idsOf(o)],
  ),
  update('Interface', o.name, mtuOf(o)),
];

/** Others' ports go on: the bridge is theirs from now on, and switches without us. */
const handOver = (name: string): readonly Operation[] => [
  update('Bridge', name, { fail_mode: NONE }),
  ...['Bridge', 'Port'].map((table) =>
    mutate(table, called(name), ['external_ids', 'delete', set([MARK, NAMED])]),
  ),
];

const deleteBridge = (id: string): Operation => mutate(ROOT, [], ['bridges', 'delete', set([uuid(id)])]);

const linkIds = (o: OvsLink): Row => ({ external_ids: map({ [MARK]: o.network }) });
const portRow = (o: OvsLink): Row => ({ tag: o.tag || NONE, ...linkIds(o) });
const cardRow = ({ mac, mtu }: OvsLink): Row => ({ mac, mtu_request: mtu });

/** The local port is there with its bridge; its MAC and MTU are the bridge's. */
const setLocal = (o: OvsLink): Operation => update('Port', o.name, portRow(o));

const insertInternal = (o: OvsLink): readonly Operation[] =>
  insertPort(
    o.bridge,
    { name: o.name, type: 'internal', ...cardRow(o), ...linkIds(o) },
    { name: o.name, ...portRow(o) },
  );

const updateInternal = (o: OvsLink): readonly Operation[] => [
  update('Interface', o.name, cardRow(o)),
  setLocal(o),
];

const PORT = ['_uuid', 'name', 'tag', 'external_ids'] as const;
const BRIDGE = ['_uuid', 'name', 'ports', 'external_ids'] as const;

export const isMarked = (row: Row): boolean => recordOf(row.external_ids)[MARK] !== undefined;

const select = (db: Ovsdb, table: string, columns: readonly string[], name: string): Row | undefined =>
  db.select([{ table, columns, name }])[0]?.[0];

/** Why ovs-vswitchd could not make each interface; empty: it could. `silent`: said where it does not say why. */
export const refusalsOf = (db: Ovsdb, names: readonly string[], silent: string): readonly string[] =>
  db
    .select(names.map((name) => ({ table: 'Interface', columns: ['error', 'ofport'], name })))
    .map(([row]) => textOf(row?.error) || ((numberOf(row?.ofport) ?? -1) >= 0 ? '' : silent));

export class Bridges {
  constructor(private readonly db: Ovsdb) {}

  create(o: OvsBridgeObject): void {
    const known = this.#bridge(o.name);
    if (known && !isMarked(known)) {
      if (!o.named) throw conflict(`an Open vSwitch bridge ${o.name} exists already and is not ours`);
      return;
    }
    this.db.change(known ? updateBridge(o) : insertBridge(o));
    const error = this.#refusal(o);
    if (!error) return;
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
    this.db.change(others ? handOver(name) : [deleteBridge(uuidOf(known))]);
  }

  createLink(o: OvsLink): void {
    const known = select(this.db, 'Port', PORT, o.name);
    if (!known && o.name === o.bridge) throw conflict(`there is no Open vSwitch bridge ${o.bridge}`);
    if (known && o.name !== o.bridge && !isMarked(known))
      throw conflict(`an Open vSwitch port ${o.name} exists already and is not ours`);
    if (!known && !this.#bridge(o.bridge)) throw conflict(`there is no Open vSwitch bridge ${o.bridge}`);
    if (o.name === o.bridge) this.db.change([setLocal(o)]);
    else this.db.change(known ? updateInternal(o) : insertInternal(o));
    const error = this.#refusal(o);
    if (!error) return;
    if (!known) this.deleteLink(o);
    throw conflict(`Open vSwitch could not make the interface ${o.name}: ${error}`);
  }

  deleteLink(o: OvsLink): void {
    const known = select(this.db, 'Port', PORT, o.name);
    if (!known || !isMarked(known) || o.name === o.bridge) return;
    this.db.change([unplug(known)]);
  }

  #refusal({ name }: OvsBridgeObject | OvsLink): string | undefined {
    return refusalsOf(this.db, [name], 'it has no port number')[0];
  }

  #bridge(name: string): Row | undefined {
    return select(this.db, 'Bridge', BRIDGE, name);
  }
}
