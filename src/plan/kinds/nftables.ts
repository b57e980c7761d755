/** The kinds of objects in our nftables tables, where everything that changes is an element. */
import { same } from '../equal.js';
import { interfaceKey, type Kind } from './kind.js';

/** One element of a set or map of our nftables tables (`firewall/ruleset.ts` declares them). */
export interface ElementObject {
  readonly kind: 'element';
  /**
   * the inet table carries layer 3 and up, the bridge table what passes between ports of one bridge, the netdev table
   * what single interfaces receive
   */
  readonly family: 'inet' | 'bridge' | 'netdev';
  readonly set: string;
  /** one text a field of the set's key; `a-b` in a field of an interval set is a range */
  readonly key: readonly string[];
  /** one text a field of the map's data; absent for sets */
  readonly data?: readonly string[];
  /**
   * true: forbids or confines when present (a network's membership, anti-spoofing), so plans add it before the links it
   * guards, or before they are up, and remove it after or with them. Absent: opens something; added last, removed first. Not part of its state.
   */
  readonly guard?: true;
}

/**
 * All in the netdev table but the cluster's nodes is of one interface, the first of its key: it needs that (a chain on what it
 * receives), and goes with it.
 */
const isPortGuard = ({ family, set }: ElementObject): boolean => family === 'netdev' && set !== 'nodes';

/** Its rules are those of the element's data (`firewall/guard.ts`). */
const portGuard = (verb: string, { key: [port = ''], data = [] }: ElementObject): string =>
  verb === 'delete'
    ? `nft delete chain netdev viaduct ${port}`
    : `nft ${verb} chain netdev viaduct ${port} { type filter hook ingress device ${port}; comment "${data.join(' ')}"; }`;

const element: Kind<ElementObject> = {
  key: (e) => `${e.family} ${e.set} ${e.key.join(' . ')}`,
  mark: 'own',
  open: (e) => {
    if (isPortGuard(e)) return 'openPortGuard';
    return e.guard ? 'openGuard' : 'openElement';
  },
  close: (e) => (e.guard ? 'closeGuard' : 'closeElement'),
  on: (e) => (isPortGuard(e) ? interfaceKey('host', e.key[0] ?? '') : undefined),
  /** What it is for (`guard`) is not part of its state in the kernel. */
  same: (a, b) => same(a.data, b.data),
  print: (op, e) => {
    const verb = op === 'create' ? 'add' : op;
    if (isPortGuard(e) && e.set === 'guards') return portGuard(verb, e);
    const data = e.data && op !== 'delete' ? ` : ${e.data.join(' . ')}` : '';
    return `nft ${verb} element ${e.family} viaduct ${e.set} { ${e.key.join(' . ')}${data} }`;
  },
};

export const ELEMENT = { element };
