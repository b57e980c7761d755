/**
 * Options of an Open vSwitch network and of its endpoints (`com.viaduct.ovs.*`, or without the prefix), read and checked.
 * Pure. Unknown ones are refused: a misspelt access list must not be no access list.
 */
import { defined } from '../../defined.js';
import { invalid } from '../../errors.js';
import { formatAddress, parseAddress, shown } from '../../model/address.js';
import type { Family } from '../../model/network.js';
import type { NetworkOptions } from '../contract.js';
import { IFNAME, SYSCTLS } from '../endpoint-options.js';
import {
  booleanOption,
  checkInterfacePrefix,
  INTERFACE_PREFIX,
  integerOption,
  isInterfaceName,
  MTU,
  mtuOption,
  SNAT,
  sourceOptions,
  unreadable,
} from '../options.js';
import { FORWARDING } from '../sender.js';
import { type AclRule, readAcl } from './acl.js';

const PREFIX = 'com.viaduct.ovs.';

type Options = Readonly<Record<string, string>>;

/** What an endpoint may say for itself; a network says it for all of its endpoints. */
const ENDPOINT_WORDS = [
  'vlan',
  'trunks',
  'ingress_rate',
  'ingress_burst',
  'egress_rate',
  'egress_min_rate',
  'acl',
] as const;
const NETWORK_WORDS = [
  ...ENDPOINT_WORDS,
  'bridge',
  'datapath',
  'uplink',
  'tunnel',
  'remote_ip',
  'local_ip',
  'key',
  'dst_port',
  'gateway_mode',
  'masquerade',
  'icc',
  'mtu',
] as const;
type Word = (typeof NETWORK_WORDS)[number];

const FAMILIES = ['com.docker.network.enable_ipv4', 'com.docker.network.enable_ipv6'];
const GENERAL_NETWORK: ReadonlySet<string> = new Set([
  MTU,
  INTERFACE_PREFIX,
  ...Object.values(SNAT),
  ...FAMILIES,
]);
/** Not `viaduct.endpoint.addresses`: flows for whole prefixes are not written. */
const GENERAL_ENDPOINT: ReadonlySet<string> = new Set([IFNAME, SYSCTLS, FORWARDING]);

/** By word, whichever way it was written. Throws invalid for unknown options and for two spellings of one. */
const byWord = (
  options: Options,
  words: readonly Word[],
  general: ReadonlySet<string>,
): Partial<Record<Word, string>> => {
  const out: Partial<Record<Word, string>> = {};
  for (const [label, value] of Object.entries(options)) {
    if (general.has(label)) continue;
    const word = words.find((w) => label === w || label === `${PREFIX}${w}`);
    if (word === undefined)
      throw invalid(`unknown option ${shown(label)} for driver ovs: known are ${words.join(', ')}`);
    if (out[word] !== undefined) throw invalid(`option ${word} is given twice`);
    out[word] = value;
  }
  return out;
};

const MAX_VLAN = 4094;
/** kbit/s: 1 kbit/s to 4 Tbit/s, what fits OpenFlow's 32 bits */
const MAX_RATE = 0xffffffff;
const LONGEST_LIST = 32_768;

const integer = (word: Word, value: string, min: number, max: number): number => {
  const number = integerOption(word, value);
  if (number < min || number > max) throw unreadable(word, value, `must be a number from ${min} to ${max}`);
  return number;
};

const optionalInteger = (
  words: Partial<Record<Word, string>>,
  word: Word,
  min: number,
  max: number,
): number | undefined => {
  const value = words[word];
  return value === undefined ? undefined : integer(word, value, min, max);
};

/**
 * `10,20,30-32`: ascending, each once. `docker network connect --driver-opt` splits at commas, so semicolons do as well.
 */
const vlanList = (value: string): readonly number[] => {
  if (value.length > LONGEST_LIST) throw unreadable('trunks', value, 'too long');
  const found = new Set<number>();
  for (const part of value.split(/[,;]/)) {
    const [first = '', last = first, ...more] = part.trim().split('-');
    const [from, to] = [integer('trunks', first, 1, MAX_VLAN), integer('trunks', last, 1, MAX_VLAN)];
    if (more.length > 0 || to < from) throw unreadable('trunks', value, 'a range is written 10-20');
    for (let vlan = from; vlan <= to; vlan += 1) found.add(vlan);
  }
  return [...found].sort((a, b) => a - b);
};

export interface PortOptions {
  readonly vlan?: number;
  readonly trunks?: readonly number[];
  /** what a container may send: kbit/s, and kbit at once */
  readonly ingress?: { readonly kbps: number; readonly burst: number };
  /** what is sent to a container, kbit/s */
  readonly egress?: { readonly max: number; readonly min?: number };
  readonly acl: readonly AclRule[];
}

/** Half a second's worth, and at least a few full-sized packets: TCP needs that much to get near the rate. */
const defaultBurst = (kbps: number): number => Math.min(MAX_RATE, Math.max(200, Math.ceil(kbps / 2)));

const ingress = (words: Partial<Record<Word, string>>): PortOptions['ingress'] => {
  const kbps = optionalInteger(words, 'ingress_rate', 1, MAX_RATE);
  const burst = optionalInteger(words, 'ingress_burst', 1, MAX_RATE);
  if (kbps === undefined && burst !== undefined) throw invalid('ingress_burst needs an ingress_rate');
  return kbps === undefined ? undefined : { kbps, burst: burst ?? defaultBurst(kbps) };
};

const egress = (words: Partial<Record<Word, string>>): PortOptions['egress'] => {
  const max = optionalInteger(words, 'egress_rate', 1, MAX_RATE);
  const min = optionalInteger(words, 'egress_min_rate', 1, MAX_RATE);
  if (max === undefined && min !== undefined) throw invalid('egress_min_rate needs an egress_rate');
  if (max !== undefined && min !== undefined && min > max)
    throw invalid(`egress_min_rate ${min} is above egress_rate ${max}`);
  return max === undefined ? undefined : { max, ...defined({ min }) };
};

const portOptions = (words: Partial<Record<Word, string>>): PortOptions => {
  const vlan = optionalInteger(words, 'vlan', 1, MAX_VLAN);
  const trunks = words.trunks === undefined ? undefined : vlanList(words.trunks);
  const rates = { ingress: ingress(words), egress: egress(words) };
  return { ...defined({ vlan, trunks, ...rates }), acl: readAcl(words.acl ?? '') };
};

/** Where the default route leads: our own address with or without NAT, or a router on the physical network. */
type GatewayMode = 'nat' | 'routed' | 'none';
const GATEWAY_MODES: readonly GatewayMode[] = ['nat', 'routed', 'none'];
const DATAPATHS = ['auto', 'system', 'netdev'] as const;
type Datapath = (typeof DATAPATHS)[number];

export interface TunnelOptions {
  readonly type: 'vxlan' | 'gre';
  /** bare addresses of the peers */
  readonly remotes: readonly string[];
  readonly local?: string;
  readonly key?: number;
  readonly port?: number;
}

export interface OvsOptions extends PortOptions {
  readonly bridge?: string;
  readonly datapath: Datapath;
  readonly uplink?: string;
  readonly tunnel?: TunnelOptions;
  readonly gatewayMode: GatewayMode;
  readonly masquerade: boolean;
  readonly icc: boolean;
  /** bytes; 0: the default */
  readonly mtu: number;
  readonly snat: Readonly<Partial<Record<Family, string>>>;
}

const oneOf = <T extends string>(
  word: Word,
  value: string | undefined,
  values: readonly T[],
  fallback: T,
): T => {
  if (value === undefined) return fallback;
  const found = values.find((v) => v === value);
  if (found === undefined) throw unreadable(word, value, `must be one of ${values.join(', ')}`);
  return found;
};

const interfaceName = (
  words: Partial<Record<Word, string>>,
  word: 'bridge' | 'uplink',
): string | undefined => {
  const value = words[word];
  if (value !== undefined && !isInterfaceName(value)) throw unreadable(word, value, 'invalid interface name');
  return value;
};

const address = (word: string, value: string): string => {
  const parsed = parseAddress(value.trim());
  if (!parsed) throw unreadable(word, value, 'not an IP address');
  return formatAddress(parsed);
};

/** 24 bits of a VNI, 32 of a GRE key */
const MAX_KEY = { vxlan: 0xffffff, gre: 0xffffffff } as const;
const MOST_PEERS = 256;
const TUNNEL_WORDS: readonly Word[] = ['remote_ip', 'local_ip', 'key', 'dst_port'];

const tunnel = (words: Partial<Record<Word, string>>): TunnelOptions | undefined => {
  if (words.tunnel === undefined) {
    const lonely = TUNNEL_WORDS.find((word) => words[word] !== undefined);
    if (lonely) throw invalid(`option ${lonely} needs option tunnel (vxlan or gre)`);
    return undefined;
  }
  const type = oneOf('tunnel', words.tunnel, ['vxlan', 'gre'] as const, 'vxlan');
  const list = words.remote_ip ?? '';
  if (list === '') throw invalid('option tunnel needs option remote_ip: the peers, with commas between them');
  if (list.length > LONGEST_LIST) throw unreadable('remote_ip', list, 'too long');
  const remotes = [...new Set(list.split(',').map((one) => address('remote_ip', one)))];
  if (remotes.length > MOST_PEERS) throw invalid(`a network has at most ${MOST_PEERS} peers`);
  const local = words.local_ip === undefined ? undefined : address('local_ip', words.local_ip);
  if (type === 'vxlan' && words.key === undefined) throw invalid('a vxlan tunnel needs option key: its VNI');
  if (type === 'gre' && words.dst_port !== undefined)
    throw invalid('option dst_port is for vxlan: GRE has no ports');
  const key = optionalInteger(words, 'key', 0, MAX_KEY[type]);
  const port = optionalInteger(words, 'dst_port', 1, 65_535);
  return { type, remotes, ...defined({ local, key, port }) };
};

const mtu = (options: Options, words: Partial<Record<Word, string>>): number => {
  if (words.mtu === undefined) return mtuOption(options);
  if (options[MTU] !== undefined) throw invalid('option mtu is given twice');
  return mtuOption({ [MTU]: words.mtu });
};

/** Throws invalid for the first option that cannot be read, is out of range or unknown. */
export const readOptions = ({ options }: Pick<NetworkOptions, 'options'>): OvsOptions => {
  const words = byWord(options, NETWORK_WORDS, GENERAL_NETWORK);
  checkInterfacePrefix(options);
  const [bridge, uplink] = [interfaceName(words, 'bridge'), interfaceName(words, 'uplink')];
  return {
    ...portOptions(words),
    ...defined({ bridge, uplink, tunnel: tunnel(words) }),
    datapath: oneOf('datapath', words.datapath, DATAPATHS, 'auto'),
    gatewayMode: oneOf('gateway_mode', words.gateway_mode, GATEWAY_MODES, 'nat'),
    masquerade: words.masquerade === undefined || booleanOption('masquerade', words.masquerade),
    icc: words.icc === undefined || booleanOption('icc', words.icc),
    mtu: mtu(options, words),
    snat: sourceOptions(options),
  };
};

/** Of `docker network connect --driver-opt`. Throws as `readOptions` does. */
export const readEndpointOptions = (options: Options): PortOptions =>
  portOptions(byWord(options, ENDPOINT_WORDS, GENERAL_ENDPOINT));
