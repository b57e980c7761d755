/** A plan as people read it: `ip`, `sysctl` and `nft` commands, one step a line. For dry runs, goldens and logs. */
import { traitsOf } from './link-traits.js';
import {
  type ElementObject,
  type KernelObject,
  type LinkObject,
  matchText,
  type Netns,
  type OvsBridgeObject,
  type OvsFlowObject,
  type OvsPortObject,
  type OvsTunnel,
  type RouteObject,
} from './objects.js';
import type { Plan, Step } from './plan.js';

const ip = (ns: Netns): string => (ns === 'host' ? 'ip' : `ip -n ${ns}`);
const state = (up: boolean): string => (up ? 'up' : 'down');

/** 0: what the kernel or the parent gives. */
const mtu = (bytes: number): string => (bytes === 0 ? '' : `mtu ${bytes}`);
const words = (...each: readonly string[]): string => each.filter((word) => word !== '').join(' ');

const linkAdd = (l: LinkObject): string => {
  const traits = traitsOf(l);
  return words(ip(l.ns), 'link add', l.name, traits.before(l), mtu(l.mtu), state(l.up), traits.type(l));
};

const linkSet = (l: LinkObject, before: LinkObject): string => {
  const traits = traitsOf(l);
  const risen = l.up === before.up ? '' : state(l.up);
  const size = l.mtu === before.mtu ? '' : mtu(l.mtu);
  const line = words(ip(l.ns), 'link set', l.name, size, ...traits.changes(l, before), risen);
  const ends = risen === '' ? [] : (traits.ends?.(l) ?? []);
  return [line, ...ends.map(({ ns, name }) => `${ip(ns)} link set ${name} ${risen}`)].join('; ');
};

const route = (verb: string, r: RouteObject): string => {
  const destination = /^(0\.0\.0\.0|::)\/0$/.test(r.destination) ? 'default' : r.destination;
  const via = r.via === undefined ? '' : ` via ${r.via}`;
  const metric = r.metric === undefined ? '' : ` metric ${r.metric}`;
  return `${ip(r.ns)} ${r.family === 6 ? '-6 ' : ''}route ${verb} ${destination}${via} dev ${r.link}${metric}`;
};

/** Its rules are those of the element's data (`firewall/guard.ts`). */
const portGuard = (verb: string, { key: [port = ''], data = [] }: ElementObject): string =>
  verb === 'delete'
    ? `nft delete chain netdev viaduct ${port}`
    : `nft ${verb} chain netdev viaduct ${port} { type filter hook ingress device ${port}; comment "${data.join(' ')}"; }`;

const element = (verb: string, e: ElementObject): string => {
  if (e.family === 'netdev' && e.set === 'guards') return portGuard(verb, e);
  const data = e.data && verb !== 'delete' ? ` : ${e.data.join(' . ')}` : '';
  return `nft ${verb} element ${e.family} viaduct ${e.set} { ${e.key.join(' . ')}${data} }`;
};

const ovsBridge = (op: Step['op'], { name, datapath, named }: OvsBridgeObject): string =>
  op === 'delete'
    ? `ovs-vsctl del-br ${name}${named ? '  # if it is ours' : ''}`
    : `ovs-vsctl ${named ? '--may-exist ' : ''}add-br ${name} -- set bridge ${name} datapath_type=${datapath}${named ? '' : ' fail_mode=secure'}`;

const tunnelOptions = ({ type, remote, local, key, port }: OvsTunnel): string =>
  ` type=${type} options:remote_ip=${remote}${local ? ` options:local_ip=${local}` : ''}${key === undefined ? '' : ` options:key=${key}`}${port === undefined ? '' : ` options:dst_port=${port}`}`;

const ovsPort = (op: Step['op'], p: OvsPortObject): string => {
  if (op === 'delete') return `ovs-vsctl del-port ${p.bridge} ${p.name}`;
  const { tag, trunks, shaping, tunnel } = p;
  const columns = [
    ...(tag === undefined ? [] : [`tag=${tag}`]),
    ...(trunks === undefined ? [] : [`trunks=${trunks.join(',')}`]),
    ...(p.protected ? ['protected=true'] : []),
    ...(shaping
      ? [
          `qos=linux-htb,max-rate=${shaping.max}kbit${shaping.min === undefined ? '' : `,min-rate=${shaping.min}kbit`}`,
        ]
      : []),
  ];
  const set = [...columns.map((c) => ` ${c}`)].join('');
  return `ovs-vsctl ${op === 'create' ? 'add' : 'set'}-port ${p.bridge} ${p.name}${set}${tunnel ? ` -- set interface ${p.name}${tunnelOptions(tunnel)}` : ''}`;
};

const ovsFlow = (op: Step['op'], f: OvsFlowObject): string => {
  const match = matchText(f.match);
  const selector = `table=${f.table},priority=${f.priority}${match === '' ? '' : `,${match}`}`;
  if (op === 'delete') return `ovs-ofctl --strict del-flows ${f.bridge} ${selector}`;
  const meter = f.meter ? `meter:${f.meter.kbps}kbps/${f.meter.burst}kb,` : '';
  return `ovs-ofctl ${op === 'create' ? 'add-flow' : '--strict mod-flows'} ${f.bridge} ${selector},actions=${meter}${f.action}`;
};

const VERBS = { create: 'add', delete: 'del', replace: 'replace' } as const;

const line = (op: Step['op'], o: KernelObject, before?: KernelObject): string => {
  const verb = VERBS[op];
  switch (o.kind) {
    case 'netns':
      return `ip netns ${verb} ${o.path}`;
    case 'link':
      if (op === 'delete') return `${ip(o.ns)} link del ${o.name}`;
      return before?.kind === 'link' ? linkSet(o, before) : linkAdd(o);
    case 'address':
      return `${ip(o.ns)} address ${verb} ${o.address} dev ${o.link}${o.address.includes(':') && op !== 'delete' ? ' nodad' : ''}`;
    case 'route':
      return route(verb, o);
    case 'neighbour':
      return `${ip(o.ns)} neighbour ${verb} ${o.address} lladdr ${o.mac} dev ${o.link} nud permanent`;
    case 'fdb':
      return `${o.ns === 'host' ? 'bridge' : `bridge -n ${o.ns}`} fdb ${verb} ${o.mac} dev ${o.link}${o.destination ? ` dst ${o.destination}` : ''}`;
    case 'sysctl':
      return `${o.ns === 'host' ? '' : `ip netns exec ${o.ns} `}sysctl ${op === 'delete' ? `--reset ${o.path}` : `-w ${o.path}=${o.value}`}`;
    case 'element':
      return element(op === 'create' ? 'add' : op, o);
    case 'hostport': {
      const address = o.address.includes(':') ? `[${o.address}]` : o.address;
      const ports = o.count > 1 ? `${o.port}-${o.port + o.count - 1}` : `${o.port}`;
      return `${op === 'delete' ? 'release' : 'hold'} ${o.protocol} ${address}:${ports}`;
    }
    case 'foreign':
      return `${op === 'delete' ? 'leave' : 'use'} ${o.name}`;
    case 'offload':
      return `${o.ns === 'host' ? '' : `ip netns exec ${o.ns} `}ethtool -K ${o.link} tx ${o.transmit ? 'on' : 'off'}`;
    case 'ovs-bridge':
      return ovsBridge(op, o);
    case 'ovs-port':
      return ovsPort(op, o);
    case 'ovs-flow':
      return ovsFlow(op, o);
    case 'resolver':
      return `${op === 'delete' ? 'close' : 'open'} resolver in ${o.ns}`;
  }
};

export const printStep = (step: Step): string =>
  line(step.op, step.object, step.op === 'replace' ? step.before : undefined);

/** One line a step, ending in a line end; empty for an empty plan. */
export const print = (plan: Plan): string => plan.map((step) => `${printStep(step)}\n`).join('');
