/**
 * Access lists: `deny out tcp 10.0.0.0/8 22; allow in any`. Rules are tried in order, the first that fits decides, what
 * fits none is allowed; each packet is judged alone, answers included. Pure.
 */
import { invalid } from '../../errors.js';
import { formatPrefix, masked, parseAddress, parsePrefix, shown, width } from '../../model/address.js';
import type { Family } from '../../model/network.js';

export type AclProtocol = 'any' | 'tcp' | 'udp' | 'icmp';

export interface AclRule {
  readonly verdict: 'allow' | 'deny';
  /** as the container sees it */
  readonly direction: 'in' | 'out';
  readonly protocol: AclProtocol;
  /** the other side, CIDR; absent: any */
  readonly peer?: { readonly family: Family; readonly cidr: string };
  /** destination ports, both included */
  readonly ports?: { readonly first: number; readonly last: number };
}

const LONGEST = 8_192;
const MOST = 128;
const PROTOCOLS: readonly AclProtocol[] = ['any', 'tcp', 'udp', 'icmp'];
const PORTS = /^([0-9]{1,5})(?:-([0-9]{1,5}))?$/;
const LAST_PORT = 65_535;

const refuse = (rule: string, why: string): never => {
  throw invalid(
    `invalid acl rule ${shown(rule)}: ${why}; a rule is "allow|deny in|out [any|tcp|udp|icmp] [CIDR|any] [port|port-port]"`,
  );
};

const peerOf = (text: string): AclRule['peer'] => {
  const prefix = parsePrefix(text);
  if (prefix) return { family: prefix.family, cidr: formatPrefix(masked(prefix)) };
  const address = parseAddress(text);
  return address
    ? { family: address.family, cidr: formatPrefix({ ...address, bits: width(address.family) }) }
    : undefined;
};

const portsOf = (text: string): AclRule['ports'] => {
  const [, first = '', last = first] = PORTS.exec(text) ?? [];
  if (first === '') return undefined;
  const range = { first: Number(first), last: Number(last) };
  return range.first >= 1 && range.last <= LAST_PORT && range.first <= range.last ? range : undefined;
};

const ruleOf = (text: string): AclRule => {
  const words = text.split(/\s+/);
  const [verdict, direction] = words;
  if (verdict !== 'allow' && verdict !== 'deny') return refuse(text, 'it begins with allow or deny');
  if (direction !== 'in' && direction !== 'out') return refuse(text, 'then comes in or out');
  const rest = words.slice(2);
  const protocol = PROTOCOLS.find((p) => p === rest[0]) ?? 'any';
  if (PROTOCOLS.some((p) => p === rest[0])) rest.shift();
  const peer = rest[0] === undefined || rest[0] === 'any' ? undefined : peerOf(rest[0]);
  if (peer || rest[0] === 'any') rest.shift();
  const ports = rest[0] === undefined ? undefined : portsOf(rest[0]);
  if (ports) rest.shift();
  const [odd] = rest;
  if (odd !== undefined) return refuse(text, `what is "${shown(odd)}"?`);
  if (ports && protocol !== 'tcp' && protocol !== 'udp') return refuse(text, 'only tcp and udp have ports');
  return { verdict, direction, protocol, ...(peer ? { peer } : {}), ...(ports ? { ports } : {}) };
};

/** Rules with semicolons between them. Throws invalid, naming the rule. */
export const readAcl = (text: string): readonly AclRule[] => {
  if (text.length > LONGEST) throw invalid(`the acl is longer than ${LONGEST} characters`);
  const rules = text
    .split(';')
    .map((rule) => rule.trim())
    .filter((rule) => rule !== '');
  if (rules.length > MOST) throw invalid(`the acl has more than ${MOST} rules`);
  return rules.map(ruleOf);
};
