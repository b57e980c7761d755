/** Interfaces of every type as one kind. What differs by type is a row of `link-traits.ts`. */
import { same } from '../equal.js';
import type { BridgeLink, LinkObject } from '../link-objects.js';
import { traitsOf } from '../link-traits.js';
import { ip, type Kind } from './kind.js';

const state = (up: boolean): string => (up ? 'up' : 'down');

/** 0: what the kernel or the parent gives. */
const mtu = (bytes: number): string => (bytes === 0 ? '' : `mtu ${bytes}`);
const words = (...each: readonly string[]): string => each.filter((word) => word !== '').join(' ');

const add = (l: LinkObject): string => {
  const traits = traitsOf(l);
  return words(ip(l.ns), 'link add', l.name, traits.before(l), mtu(l.mtu), state(l.up), traits.type(l));
};

const set = (l: LinkObject, before: LinkObject): string => {
  const traits = traitsOf(l);
  const risen = l.up === before.up ? '' : state(l.up);
  const size = l.mtu === before.mtu ? '' : mtu(l.mtu);
  const line = words(ip(l.ns), 'link set', l.name, size, ...traits.changes(l, before), risen);
  const ends = risen === '' ? [] : (traits.ends?.(l) ?? []);
  return [line, ...ends.map(({ ns, name }) => `${ip(ns)} link set ${name} ${risen}`)].join('; ');
};

/** A bridge of somebody else's: MAC and MTU are not ours to say. */
const isTheirs = (l: LinkObject): l is BridgeLink => l.type === 'bridge' && !l.owned;

export const link: Kind<LinkObject> = {
  key: (l) => `${l.ns} ${l.name}`,
  // Where the database of Open vSwitch does not know an interface there is none, though a device of the name may linger.
  mark: (l) => (traitsOf(l).service ? 'own' : 'either'),
  onHost: ({ ns, name }) => (ns === 'host' ? name : undefined),
  fixed: (l) => [l.type, ...traitsOf(l).fixed(l)],
  open: 'openLink',
  close: 'closeLink',
  /** A link that has its parent's MTU has no MTU of its own. */
  same: (a, b) => {
    if (isTheirs(a) && isTheirs(b)) return a.up === b.up;
    return a.mtu === 0 || b.mtu === 0 ? same({ ...a, mtu: 0 }, { ...b, mtu: 0 }) : same(a, b);
  },
  service: (l) => traitsOf(l).service,
  print: (op, l, before) => {
    if (op === 'delete') return `${ip(l.ns)} link del ${l.name}`;
    return before ? set(l, before) : add(l);
  },
};
