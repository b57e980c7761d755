/**
 * What of the database is ours, as kernel objects. Pure over rows, so that a dump and a monitor's replica are read alike.
 * Invariant: only what carries our mark (`external_ids:viaduct`) is reported; for it every column that we set is read back.
 */
import { defined } from '../defined.js';
import type { OvsBridgeObject, OvsLink, OvsPortObject, OvsTunnel } from '../plan/objects.js';
import {
  mapUuids,
  members,
  numberOf,
  numbersOf,
  type Row,
  recordOf,
  type Tables,
  textOf,
  uuidOf,
  uuidsOf,
} from './values.js';

/** Columns that `stateOf` reads; also what the watch monitors. */
export const COLUMNS = {
  Bridge: ['_uuid', 'name', 'datapath_type', 'fail_mode', 'ports', 'other_config', 'external_ids'],
  Port: ['_uuid', 'name', 'interfaces', 'tag', 'trunks', 'protected', 'qos', 'external_ids'],
  Interface: ['_uuid', 'name', 'type', 'options', 'mac', 'mtu_request', 'ofport', 'error', 'external_ids'],
  QoS: ['_uuid', 'other_config', 'queues'],
  Queue: ['_uuid', 'other_config'],
} as const;

/** `external_ids` of ours: the network, the owner of a bridge, what a port is for. */
export const MARK = 'viaduct';
export const ROLE = 'viaduct-role';
export const NAMED = 'viaduct-named';
/** on QoS and Queue, which nobody collects: the port they are for */
export const FOR_PORT = 'viaduct-port';

export interface OvsState {
  /** ours */
  readonly bridges: readonly OvsBridgeObject[];
  readonly ports: readonly OvsPortObject[];
  /** internal ports as far as the database knows: whether they are up is the kernel's to say */
  readonly links: readonly OvsLink[];
  /** every bridge there is, ours or not */
  readonly names: ReadonlySet<string>;
  /** bridge → OpenFlow number → interface name */
  readonly numbers: ReadonlyMap<string, ReadonlyMap<number, string>>;
}

const byUuid = (rows: readonly Row[] | undefined): ReadonlyMap<string, Row> =>
  new Map((rows ?? []).map((row) => [uuidOf(row), row]));

const kbit = (text: string | undefined): number | undefined =>
  text === undefined || !/^[0-9]{1,15}$/.test(text) ? undefined : Number(text) / 1000;

const bridgeOf = (row: Row, local: Row | undefined): OvsBridgeObject => {
  const ids = recordOf(row.external_ids);
  return {
    kind: 'ovs-bridge',
    name: textOf(row.name),
    datapath: row.datapath_type === 'netdev' ? 'netdev' : 'system',
    mac: recordOf(row.other_config).hwaddr ?? '',
    mtu: numberOf(local?.mtu_request) ?? 0,
    owner: ids[MARK] ?? '',
    named: ids[NAMED] === 'true',
  };
};

/** What the database calls them; `ip6gre` is GRE to an IPv6 peer. */
const TUNNELS: ReadonlyMap<string, OvsTunnel['type']> = new Map([
  ['vxlan', 'vxlan'],
  ['gre', 'gre'],
  ['ip6gre', 'gre'],
]);

const tunnelOf = (row: Row): OvsTunnel | undefined => {
  const type = TUNNELS.get(textOf(row.type));
  if (!type) return undefined;
  const { remote_ip: remote = '', local_ip: local, key, dst_port: port } = recordOf(row.options);
  return {
    type,
    remote,
    ...defined({
      local,
      key: key === undefined ? undefined : Number(key),
      port: port === undefined ? undefined : Number(port),
    }),
  };
};

const roleOf = (text: string | undefined): OvsPortObject['role'] =>
  text === 'uplink' || text === 'tunnel' ? text : 'endpoint';

interface Rows {
  readonly interfaces: ReadonlyMap<string, Row>;
  readonly qos: ReadonlyMap<string, Row>;
  readonly queues: ReadonlyMap<string, Row>;
}

const shapingOf = (port: Row, { qos, queues }: Rows): OvsPortObject['shaping'] => {
  const row = qos.get(uuidsOf(port.qos)[0] ?? '');
  if (!row) return undefined;
  const max = kbit(recordOf(row.other_config)['max-rate']) ?? 0;
  const queue = queues.get(mapUuids(row.queues)[0] ?? '');
  const min = kbit(recordOf(queue?.other_config)['min-rate']);
  return { max, ...(min === undefined ? {} : { min }) };
};

const withoutRole = (ids: Readonly<Record<string, string>>): Readonly<Record<string, string>> =>
  Object.fromEntries(Object.entries(ids).filter(([key]) => key !== ROLE));

const portOf = (port: Row, bridge: string, card: Row | undefined, rows: Rows): OvsPortObject => {
  const ids = recordOf(port.external_ids);
  const trunks = numbersOf(port.trunks);
  return {
    kind: 'ovs-port',
    name: textOf(port.name),
    bridge,
    role: roleOf(ids[ROLE]),
    protected: port.protected === true,
    ...defined({
      tag: numberOf(port.tag),
      trunks: trunks.length > 0 ? trunks : undefined,
      tunnel: card && tunnelOf(card),
      shaping: shapingOf(port, rows),
      mtu: numberOf(card?.mtu_request),
    }),
    externalIds: withoutRole(ids),
  };
};

const linkOf = (port: Row, bridge: Row, card: Row, network: string): OvsLink => {
  const name = textOf(port.name);
  const local = name === bridge.name;
  return {
    kind: 'link',
    type: 'ovs',
    ns: 'host',
    name,
    up: false,
    bridge: textOf(bridge.name),
    mac: (local ? recordOf(bridge.other_config).hwaddr : textOf(members(card.mac)[0])) ?? '',
    mtu: numberOf(card.mtu_request) ?? 0,
    tag: numberOf(port.tag) ?? 0,
    network,
  };
};

export const stateOf = (tables: Tables): OvsState => {
  const ports = byUuid(tables.Port);
  const rows: Rows = {
    interfaces: byUuid(tables.Interface),
    qos: byUuid(tables.QoS),
    queues: byUuid(tables.Queue),
  };
  const bridges: OvsBridgeObject[] = [];
  const found: OvsPortObject[] = [];
  const links: OvsLink[] = [];
  const numbers = new Map<string, Map<number, string>>();
  for (const bridge of tables.Bridge ?? []) {
    const name = textOf(bridge.name);
    const numbered = new Map<number, string>();
    numbers.set(name, numbered);
    const owner = recordOf(bridge.external_ids)[MARK];
    let local: Row | undefined;
    for (const id of uuidsOf(bridge.ports)) {
      const port = ports.get(id);
      const card = port && rows.interfaces.get(uuidsOf(port.interfaces)[0] ?? '');
      if (!port || !card) continue;
      numbered.set(numberOf(card.ofport) ?? -1, textOf(card.name));
      if (port.name === name) local = card;
      const network = recordOf(port.external_ids)[MARK];
      if (network === undefined) continue;
      if (card.type === 'internal') links.push(linkOf(port, bridge, card, network));
      else found.push(portOf(port, name, card, rows));
    }
    if (owner !== undefined) bridges.push(bridgeOf(bridge, local));
  }
  return { bridges, ports: found, links, names: new Set(numbers.keys()), numbers };
};
