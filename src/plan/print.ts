/** A plan as people read it: `ip`, `sysctl` and `nft` commands, one step a line. For dry runs, goldens and logs. */
import type { ElementObject, KernelObject, LinkObject, Netns, RouteObject } from './objects.js';
import type { Plan, Step } from './plan.js';

const ip = (ns: Netns): string => (ns === 'host' ? 'ip' : `ip -n ${ns}`);
const state = (up: boolean): string => (up ? 'up' : 'down');
const flag = (name: string, on: boolean): string => (on ? ` ${name} on` : '');

const linkAdd = (l: LinkObject): string =>
  l.type === 'bridge'
    ? `${ip(l.ns)} link add ${l.name} address ${l.mac} mtu ${l.mtu} ${state(l.up)} type bridge${l.owned ? '' : '  # not ours'}`
    : `${ip(l.ns)} link add ${l.name} master ${l.master} mtu ${l.mtu} ${state(l.up)}${flag('hairpin', l.hairpin)}${flag('isolated', l.isolated)} type veth peer ${l.peerName} netns ${l.peerNs} address ${l.peerMac}`;

const linkSet = (l: LinkObject, before: LinkObject): string => {
  const changes: string[] = [];
  if (l.mtu !== before.mtu) changes.push(`mtu ${l.mtu}`);
  if (l.type === 'bridge' && before.type === 'bridge' && l.mac !== before.mac)
    changes.push(`address ${l.mac}`);
  if (l.type === 'veth' && before.type === 'veth') {
    if (l.master !== before.master) changes.push(`master ${l.master}`);
    if (l.hairpin !== before.hairpin) changes.push(`hairpin ${l.hairpin ? 'on' : 'off'}`);
    if (l.isolated !== before.isolated) changes.push(`isolated ${l.isolated ? 'on' : 'off'}`);
  }
  if (l.up !== before.up) changes.push(state(l.up));
  const line = `${ip(l.ns)} link set ${l.name} ${changes.join(' ')}`;
  return l.type === 'veth' && l.up !== before.up
    ? `${line}; ${ip(l.peerNs)} link set ${l.peerName} ${state(l.up)}`
    : line;
};

const route = (verb: string, r: RouteObject): string => {
  const destination = /^(0\.0\.0\.0|::)\/0$/.test(r.destination) ? 'default' : r.destination;
  const via = r.via === undefined ? '' : ` via ${r.via}`;
  const metric = r.metric === undefined ? '' : ` metric ${r.metric}`;
  return `${ip(r.ns)} ${r.family === 6 ? '-6 ' : ''}route ${verb} ${destination}${via} dev ${r.link}${metric}`;
};

const element = (verb: string, e: ElementObject): string => {
  const data = e.data && verb !== 'delete' ? ` : ${e.data.join(' . ')}` : '';
  return `nft ${verb} element ${e.family} viaduct ${e.set} { ${e.key.join(' . ')}${data} }`;
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
    case 'resolver':
      return `${op === 'delete' ? 'close' : 'open'} resolver in ${o.ns}`;
  }
};

export const printStep = (step: Step): string =>
  line(step.op, step.object, step.op === 'replace' ? step.before : undefined);

/** One line a step, ending in a line end; empty for an empty plan. */
export const print = (plan: Plan): string => plan.map((step) => `${printStep(step)}\n`).join('');
