/** Operations of an OVSDB transaction (RFC 7047, 5.2), and those by which a port with its interface comes and goes. Pure. */
import { named, type Operation, type Row, set, uuid, uuidOf, type Value } from './values.js';

/** The database's name, and that of the table whose one row says what is wanted and carried out. */
export const ROOT = 'Open_vSwitch';

type Where = readonly (readonly [column: string, test: string, value: Value])[];
type Mutation = readonly [column: string, what: string, value: Value];

export const called = (name: string): Where => [['name', '==', name]];

/** `as`: what other operations of the same transaction call the row (`named`). */
export const insert = (table: string, as: string, row: Row): Operation => ({
  op: 'insert',
  table,
  row,
  'uuid-name': as,
});
export const update = (table: string, name: string, row: Row): Operation => ({
  op: 'update',
  table,
  where: called(name),
  row,
});
export const mutate = (table: string, where: Where, ...mutations: readonly Mutation[]): Operation => ({
  op: 'mutate',
  table,
  where,
  mutations,
});

export const plug = (bridge: string, port: Value): Operation =>
  mutate('Bridge', called(bridge), ['ports', 'insert', set([port])]);

/** Off every bridge that has it (and is not `but`); the database collects it then. */
export const unplug = (port: Row, but?: string): Operation => {
  const ports = set([uuid(uuidOf(port))]);
  const others: Where = but === undefined ? [] : [['name', '!=', but]];
  return mutate('Bridge', [...others, ['ports', 'includes', ports]], ['ports', 'delete', ports]);
};

/** Something for ovs-vswitchd to do: it is done when `cur_cfg` is the number that the second one answers. */
export const ADVANCE: readonly Operation[] = [
  mutate(ROOT, [], ['next_cfg', '+=', 1]),
  { op: 'select', table: ROOT, where: [], columns: ['next_cfg'] },
];

/** A port with its one interface, on a bridge; `n` tells several of one transaction apart. */
export const insertPort = (bridge: string, card: Row, port: Row, n = 0): readonly Operation[] => [
  insert('Interface', `card${n}`, card),
  insert('Port', `port${n}`, { ...port, interfaces: named(`card${n}`) }),
  plug(bridge, named(`port${n}`)),
];
