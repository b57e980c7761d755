/** The kinds of objects that Open vSwitch keeps beside the kernel: what a plan must know of each. */
import type { Kind } from './kind.js';

const service = () => 'ovs' as const;

/** An Open vSwitch bridge as a switch: what is plugged into it, its flows and the host's interface are objects too. */
export interface OvsBridgeObject {
  readonly kind: 'ovs-bridge';
  readonly name: string;
  readonly datapath: 'system' | 'netdev';
  /** the local port's */
  readonly mac: string;
  /** the local port's, bytes */
  readonly mtu: number;
  /** id of the network, or the bridge's name where networks share it: the mark of ours */
  readonly owner: string;
  /** true: the user named it; where somebody else made it, it is used and never changed nor deleted */
  readonly named: boolean;
}

const bridge: Kind<OvsBridgeObject> = {
  key: ({ name }) => name,
  mark: 'own',
  open: 'openSwitch',
  close: 'closeSwitch',
  service,
  print: (op, { name, datapath, named }) =>
    op === 'delete'
      ? `ovs-vsctl del-br ${name}${named ? '  # if it is ours' : ''}`
      : `ovs-vsctl ${named ? '--may-exist ' : ''}add-br ${name} -- set bridge ${name} datapath_type=${datapath}${named ? '' : ' fail_mode=secure'}`,
};

export interface OvsTunnel {
  readonly type: 'vxlan' | 'gre';
  /** bare address of the peer */
  readonly remote: string;
  /** bare address to send from */
  readonly local?: string;
  /** VNI (24 bits) or GRE key (32 bits) */
  readonly key?: number;
  /** UDP port of the peers (vxlan) */
  readonly port?: number;
}

/** A port of an Open vSwitch bridge other than its internal ones: a container's veth, an uplink, a tunnel. */
export interface OvsPortObject {
  readonly kind: 'ovs-port';
  /** of the interface; for a tunnel, which has no interface of its own, of the port alone */
  readonly name: string;
  readonly bridge: string;
  readonly role: 'endpoint' | 'uplink' | 'tunnel';
  /** 1–4094: what arrives untagged belongs to this VLAN, whose frames leave untagged; absent: no VLAN */
  readonly tag?: number;
  /** VLANs that pass tagged; absent: with a tag none, without one all */
  readonly trunks?: readonly number[];
  /** frames never go from one protected port to another */
  readonly protected: boolean;
  readonly tunnel?: OvsTunnel;
  /** egress shaping by linux-htb, kbit/s */
  readonly shaping?: { readonly max: number; readonly min?: number };
  /** bytes; absent: as the interface has it */
  readonly mtu?: number;
  /** in OVSDB, on port and interface: `viaduct` (the network's id) is the mark of ours */
  readonly externalIds: Readonly<Record<string, string>>;
}

const tunnelOptions = ({ type, remote, local, key, port }: OvsTunnel): string =>
  ` type=${type} options:remote_ip=${remote}${local ? ` options:local_ip=${local}` : ''}${key === undefined ? '' : ` options:key=${key}`}${port === undefined ? '' : ` options:dst_port=${port}`}`;

const columns = ({ tag, trunks, shaping, protected: alone }: OvsPortObject): string =>
  [
    tag === undefined ? '' : ` tag=${tag}`,
    trunks === undefined ? '' : ` trunks=${trunks.join(',')}`,
    alone ? ' protected=true' : '',
    shaping ? ` qos=linux-htb,max-rate=${shaping.max}kbit` : '',
    shaping?.min === undefined ? '' : `,min-rate=${shaping.min}kbit`,
  ].join('');

const port: Kind<OvsPortObject> = {
  key: ({ name }) => name,
  mark: 'own',
  open: 'openPort',
  close: 'closePort',
  onHost: ({ role, name }) => (role === 'uplink' ? name : undefined),
  /** It goes with its bridge. */
  fixed: (p) => p.bridge,
  service,
  print: (op, p) => {
    const { name, bridge, tunnel } = p;
    if (op === 'delete') return `ovs-vsctl del-port ${bridge} ${name}`;
    const verb = op === 'create' ? 'add' : 'set';
    return `ovs-vsctl ${verb}-port ${bridge} ${name}${columns(p)}${tunnel ? ` -- set interface ${name}${tunnelOptions(tunnel)}` : ''}`;
  },
};

/** An OpenFlow rule. Its identity is bridge, table, priority and match, as OpenFlow has it. */
export interface OvsFlowObject {
  readonly kind: 'ovs-flow';
  readonly bridge: string;
  /** 0–253 */
  readonly table: number;
  /** 0–65535, higher wins */
  readonly priority: number;
  /** 16 hex digits: our mark, and which network or endpoint it is for */
  readonly cookie: string;
  /** field → value as `ovs-ofctl` writes them (`in_port` is a port's name, `10.0.0.0/8`, `0x50/0xfff0`) */
  readonly match: Readonly<Record<string, string>>;
  /** before the action: what is over the limit is dropped */
  readonly meter?: { readonly kbps: number; readonly burst: number };
  /** `NORMAL` is the learning switch with VLANs */
  readonly action: 'NORMAL' | 'drop' | `goto_table:${number}`;
}

/** `arp,in_port=veth…,arp_spa=10.0.0.2` in one order, whatever the order of the fields. */
export const matchText = (match: Readonly<Record<string, string>>): string =>
  Object.keys(match)
    .sort()
    .map((field) => `${field}=${match[field]}`)
    .join(',');

const flow: Kind<OvsFlowObject> = {
  key: (f) => `${f.bridge} ${f.table} ${f.priority} ${matchText(f.match)}`,
  mark: 'own',
  open: 'openFlow',
  close: 'closeFlow',
  service,
  print: (op, f) => {
    const match = matchText(f.match);
    const selector = `table=${f.table},priority=${f.priority}${match === '' ? '' : `,${match}`}`;
    if (op === 'delete') return `ovs-ofctl --strict del-flows ${f.bridge} ${selector}`;
    const meter = f.meter ? `meter:${f.meter.kbps}kbps/${f.meter.burst}kb,` : '';
    return `ovs-ofctl ${op === 'create' ? 'add-flow' : '--strict mod-flows'} ${f.bridge} ${selector},actions=${meter}${f.action}`;
  },
};

export const OVS = { 'ovs-bridge': bridge, 'ovs-port': port, 'ovs-flow': flow };
