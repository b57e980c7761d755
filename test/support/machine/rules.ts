/**
 * What the firewall's chains say of one packet: the rules as `src/firewall/` has them and the elements that the machine has, with
 * nft's own meaning of statements. Packets are first ones of their flow, so nothing is under way and nothing learned.
 */
import type { Chain, Field, HostTable, Rule, Statement } from '../../../src/firewall/language.js';
import { portRules } from '../../../src/firewall/ports.js';
import { RULESET } from '../../../src/firewall/ruleset.js';
import { PORT_CHAINS } from './beside.js';
import { isIn, type Of, type World } from './world.js';

export interface Packet {
  readonly protocol: 'tcp' | 'udp' | 'sctp';
  readonly sourceMac: string;
  readonly source: string;
  destination: string;
  port: number;
  /** it was led elsewhere than its sender said */
  translated: boolean;
}

/** Where the packet is: what it came in by and leaves by, and what the host's routing says of its addresses. */
export interface Place {
  readonly iif: string;
  readonly oif: string;
  isLocal(address: string, onIif: boolean): boolean;
}

type Verdict = 'accept' | 'drop';
/** undefined: the chain has an end without a verdict */
type Outcome = Verdict | undefined;

const isV6 = ({ destination }: Packet): boolean => destination.includes(':');

const FIRST = { tcp: 'syn', udp: '', sctp: '' } as const;

/** What a rule finds in the packet; undefined: it is no packet that has such a field. */
const VALUES: { readonly [F in Field]?: (packet: Packet, place: Place) => string | undefined } = {
  'meta nfproto': (p) => (isV6(p) ? 'ipv6' : 'ipv4'),
  'meta protocol': (p) => (isV6(p) ? 'ip6' : 'ip'),
  'meta l4proto': (p) => p.protocol,
  'meta mark': () => '0',
  'meta iif': (_, { iif }) => (iif === '' ? '0' : '1'),
  iifname: (_, { iif }) => iif,
  oifname: (_, { oif }) => oif,
  'ct state': () => 'new',
  'ct status': (p) => (p.translated ? 'dnat' : ''),
  'fib saddr type': (p, place) => (place.isLocal(p.source, false) ? 'local' : 'unicast'),
  'fib daddr type': (p, place) => (place.isLocal(p.destination, false) ? 'local' : 'unicast'),
  'fib daddr . iif type': (p, place) => (place.isLocal(p.destination, true) ? 'local' : 'unicast'),
  'ether saddr': (p) => p.sourceMac,
  'ip saddr': (p) => (isV6(p) ? undefined : p.source),
  'ip daddr': (p) => (isV6(p) ? undefined : p.destination),
  'ip6 saddr': (p) => (isV6(p) ? p.source : undefined),
  'ip6 daddr': (p) => (isV6(p) ? p.destination : undefined),
  'ip frag-off': (p) => (isV6(p) ? undefined : '0'),
  'th dport': (p) => String(p.port),
  'th sport': () => '40000',
  'tcp flags': (p) => FIRST[p.protocol],
};

const fieldOf = (field: Field, packet: Packet, place: Place): string | undefined =>
  VALUES[field]?.(packet, place);

/** Numbers that a range of ports holds, addresses that a prefix does. */
const fits = (wanted: string, value: string): boolean => {
  if (wanted === value) return true;
  if (wanted.includes('/')) return isIn(wanted, value);
  const [first, last] = wanted.split('-').map(Number);
  return last !== undefined && first !== undefined && first <= Number(value) && Number(value) <= last;
};

/** A table with what of the machine's elements is in its sets. */
class Look {
  constructor(
    private readonly world: World,
    private readonly table: HostTable,
    private readonly packet: Packet,
    private readonly place: Place,
  ) {}

  /** undefined: none that fits */
  element(set: string, fields: readonly Field[]): Of<'element'> | undefined {
    const values = fields.map((field) => fieldOf(field, this.packet, this.place));
    if (values.some((value) => value === undefined)) return undefined;
    const there = this.world.sets.get(`${this.table.family} ${set}`);
    if (!there) return undefined;
    const interval = this.table.sets.find(({ name }) => name === set)?.interval;
    if (!interval) return there.get(values.join(' . '));
    return [...there.values()].find(({ key }) => key.every((field, i) => fits(field, values[i] ?? '')));
  }

  chain(name: string): Outcome {
    const chain = this.table.chains.find((each) => each.name === name);
    if (!chain) throw new Error(`no chain ${name}`);
    return this.rules(chain.rules);
  }

  rules(rules: readonly Rule[]): Outcome {
    for (const { statements } of rules) {
      const outcome = this.#rule(statements);
      if (outcome !== 'next') return outcome === 'return' ? undefined : outcome;
    }
    return undefined;
  }

  #rule(statements: readonly Statement[]): Outcome | 'next' | 'return' {
    for (const statement of statements) {
      const outcome = this.#statement(statement);
      if (outcome !== 'on') return outcome;
    }
    return 'next';
  }

  #statement(s: Statement): Outcome | 'on' | 'next' | 'return' {
    const { packet, place } = this;
    const when = (holds: boolean) => (holds ? 'on' : 'next');
    switch (s.is) {
      case 'match': {
        const value = fieldOf(s.field, packet, place);
        return when(value !== undefined && fits(s.value, value) === (s.op === '=='));
      }
      case 'bits': {
        const value = fieldOf(s.field, packet, place);
        const any = s.mask.split(',').some((bit) => value === bit);
        return when(value !== undefined && any === (s.op === '!='));
      }
      case 'lookup':
        return when((this.element(s.set, s.fields) !== undefined) === (s.op === '=='));
      case 'vmap': {
        const [verb, chain = ''] = this.element(s.map, s.fields)?.data?.[0]?.split(' ') ?? [];
        if (verb === undefined) return 'next';
        return verb === 'goto' ? this.chain(chain) : (verb as Verdict);
      }
      case 'jump':
        return this.chain(s.chain) ?? 'next';
      case 'goto':
        return this.chain(s.chain);
      case 'dnat':
      case 'dnat-port':
        return this.#lead(s);
      case 'snat':
        return this.element(s.map, s.fields) ? 'accept' : 'next';
      case 'masquerade':
        return 'accept';
      case 'counter':
      case 'learn':
        return 'on';
      case 'accept':
      case 'drop':
      case 'return':
        return s.is;
      default:
        throw new Error(`no packet here meets ${s.is}`);
    }
  }

  #lead(s: Extract<Statement, { is: 'dnat-port' } | { family: 4 | 6 }>): Outcome | 'next' {
    const data = this.element(s.map, s.fields)?.data;
    if (!data) return 'next';
    const [address, port] = s.is === 'dnat-port' ? [this.packet.destination, data[0]] : data;
    Object.assign(this.packet, { translated: true, destination: address });
    if (s.is === 'dnat-port' || s.port) this.packet.port = Number(port);
    return 'accept';
  }
}

/** Only while the set that it is tied to has elements. */
const isThere = (world: World, { family }: HostTable, { base }: Chain): boolean =>
  (base?.tiedTo ?? []).every((set) => (world.sets.get(`${family} ${set}`)?.size ?? 0) > 0);

type Hook = NonNullable<Chain['base']>['hook'];

const chainsAt = new Map<string, readonly { readonly table: HostTable; readonly chain: Chain }[]>();
const atHook = (family: HostTable['family'], hook: Hook) => {
  const key = `${family} ${hook}`;
  const known =
    chainsAt.get(key) ??
    RULESET.filter((table) => table.family === family)
      .flatMap((table) =>
        table.chains.filter(({ base }) => base?.hook === hook).map((chain) => ({ table, chain })),
      )
      .sort((a, b) => (a.chain.base?.priority ?? 0) - (b.chain.base?.priority ?? 0));
  chainsAt.set(key, known);
  return known;
};

/** Does the packet pass all chains of the hook? Every chain is asked: one's accept is no other's. */
export const passes = (
  world: World,
  family: 'inet' | 'bridge',
  hook: Hook,
  packet: Packet,
  place: Place,
): boolean =>
  atHook(family, hook).every(
    ({ table, chain }) =>
      !isThere(world, table, chain) || new Look(world, table, packet, place).rules(chain.rules) !== 'drop',
  );

/** What the chain of a port says of what that receives. A port without one lets pass. */
export const passesPort = (world: World, port: string, packet: Packet): boolean => {
  const place: Place = { iif: port, oif: '', isLocal: () => false };
  for (const [name, ports] of PORT_CHAINS) {
    const data = world.sets.get(name)?.get(port)?.data;
    const table = RULESET.find((each) => each.ports === ports);
    if (data && table && new Look(world, table, packet, place).rules(portRules(ports, data)) === 'drop')
      return false;
  }
  return true;
};
