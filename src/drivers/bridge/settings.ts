/** Options of a bridge network (`com.docker.network.bridge.*` and the general ones), read, checked and defaulted. Pure. */

import { defined } from '../../defined.js';
import { invalid } from '../../errors.js';
import type { GatewayMode } from '../../firewall/contract.js';
import { shown } from '../../model/address.js';
import { shortId } from '../../model/ids.js';
import type { Family, Network } from '../../model/network.js';
import type { HostView, NetworkOptions } from '../contract.js';
import type { HostEnd } from '../host-end.js';
import {
  addressOption,
  booleanOption,
  checkInterfacePrefix,
  isFalse,
  isInterfaceName,
  isTrue,
  mtuOption,
  sourceOptions,
  unreadable,
} from '../options.js';

const BRIDGE = 'com.docker.network.bridge';
const NETWORK = 'com.docker.network';

export const LABEL = {
  name: `${BRIDGE}.name`,
  masquerade: `${BRIDGE}.enable_ip_masquerade`,
  icc: `${BRIDGE}.enable_icc`,
  inhibitIpv4: `${BRIDGE}.inhibit_ipv4`,
  hostBindingIpv4: `${BRIDGE}.host_binding_ipv4`,
  defaultBridge: `${BRIDGE}.default_bridge`,
  gatewayMode: { 4: `${BRIDGE}.gateway_mode_ipv4`, 6: `${BRIDGE}.gateway_mode_ipv6` },
  trusted: `${BRIDGE}.trusted_host_interfaces`,
} as const;

/** `true`: but not while br_netfilter shows the host's rules what bridges carry; `always`: also then. */
const FASTPATH = 'viaduct.fastpath';

const DEFAULT_BRIDGE = 'docker0';
const DEFAULT_MTU = 1500;

const GATEWAY_MODES: readonly GatewayMode[] = ['nat', 'nat-unprotected', 'routed', 'isolated'];

/** What the options say by themselves; absent: the option was not given. */
export interface BridgeOptions extends Pick<HostEnd, 'inhibitIpv4' | 'modes' | 'snat' | 'trusted'> {
  readonly name?: string;
  /** bytes; 0: the default */
  readonly mtu: number;
  readonly masquerade?: boolean;
  readonly icc?: boolean;
  readonly defaultBridge: boolean;
  /** are shortcuts past the bridge wanted (`fastpath.ts`), and when do they step aside? */
  readonly fastpath: 'off' | 'aside' | 'always';
}

/** The options with the host's defaults and the network's identity put in. */
export interface BridgeSettings extends Omit<BridgeOptions, 'name' | 'masquerade' | 'icc'> {
  readonly bridge: string;
  /** false: the user's own bridge */
  readonly owned: boolean;
  readonly mtu: number;
  readonly masquerade: boolean;
  readonly icc: boolean;
}

type Options = Readonly<Record<string, string>>;

const boolean = (options: Options, label: string): boolean | undefined => {
  const value = options[label];
  return value === undefined ? undefined : booleanOption(label, value);
};

const fastpath = (options: Options): BridgeOptions['fastpath'] => {
  const value = options[FASTPATH];
  if (value === undefined || isFalse(value)) return 'off';
  if (value === 'always') return value;
  if (!isTrue(value)) throw unreadable(FASTPATH, value, 'true, false or always is understood');
  return 'aside';
};

const gatewayMode = (options: Options, family: Family): GatewayMode => {
  const label = LABEL.gatewayMode[family];
  const value = options[label];
  if (value === undefined) return 'nat';
  const mode = GATEWAY_MODES.find((known) => known === value);
  if (!mode) throw unreadable(label, value, `unknown gateway mode ${shown(value)}`);
  return mode;
};

/** By themselves: they are asked for each time that a container joins or leaves. Throws invalid. */
export const gatewayModes = (options: Options): Readonly<Record<Family, GatewayMode>> => ({
  4: gatewayMode(options, 4),
  6: gatewayMode(options, 6),
});

/** Room for 64 names. */
const LONGEST_LIST = 1024;

const interfaceNames = (options: Options, label: string): string[] => {
  const list = options[label] ?? '';
  if (list.length > LONGEST_LIST) throw unreadable(label, list, 'too many interface names');
  const names = list.split(':').filter((name) => name !== '');
  const wrong = names.find((name) => !isInterfaceName(name));
  if (wrong !== undefined)
    throw unreadable(label, options[label] ?? '', `invalid interface name ${shown(wrong)}`);
  return names;
};

/** The name that the user gave the bridge; undefined: none. */
export const bridgeName = (options: Options): string | undefined => {
  const name = options[LABEL.name];
  if (name === undefined || name === '') return undefined;
  if (!isInterfaceName(name)) throw unreadable(LABEL.name, name, 'invalid interface name');
  return name;
};

/** The bridge's name, also where the options cannot be read. */
export const bridgeOf = ({ id, options }: Pick<Network, 'id' | 'options'>): string =>
  options[LABEL.name] || (isTrue(options[LABEL.defaultBridge]) ? DEFAULT_BRIDGE : `br-${shortId(id)}`);

/** Bounds of moby's options for how often it announces addresses. Here once is enough: an address keeps its MAC (ADR 4). */
const ANNOUNCEMENTS = [
  { label: `${NETWORK}.advertise_addr_nmsgs`, least: 0, most: 3, unit: 'an integer' },
  { label: `${NETWORK}.advertise_addr_ms`, least: 100, most: 2000, unit: 'integer milliseconds' },
] as const;

const checkAnnouncements = (options: Options): void => {
  for (const { label, least, most, unit } of ANNOUNCEMENTS) {
    const value = options[label];
    if (value === undefined) continue;
    if (!/^[+-]?[0-9]{1,15}$/.test(value))
      throw invalid(`value for option ${label} ${JSON.stringify(shown(value))} must be ${unit}`);
    if (Number(value) < least || Number(value) > most)
      throw invalid(`${label} must be in the range ${least} to ${most}`);
  }
};

/** Throws invalid with moby's text for the first option that cannot be read. */
export const readOptions = ({ options, internal }: NetworkOptions): BridgeOptions => {
  const modes = gatewayModes(options);
  if (!internal && (modes[4] === 'isolated' || modes[6] === 'isolated'))
    throw invalid("gateway mode 'isolated' can only be used for an internal network");
  addressOption(options, LABEL.hostBindingIpv4);
  checkAnnouncements(options);
  checkInterfacePrefix(options);
  return {
    ...defined({
      name: bridgeName(options),
      masquerade: boolean(options, LABEL.masquerade),
      icc: boolean(options, LABEL.icc),
    }),
    mtu: mtuOption(options),
    inhibitIpv4: boolean(options, LABEL.inhibitIpv4) ?? false,
    defaultBridge: boolean(options, LABEL.defaultBridge) ?? false,
    fastpath: fastpath(options),
    modes,
    snat: sourceOptions(options),
    trusted: interfaceNames(options, LABEL.trusted),
  };
};

/** Records are never mutated, and every endpoint of a network asks: what was read of one stays read. */
const known = new WeakMap<Network, { readonly host: HostView; readonly settings: BridgeSettings }>();

export const bridgeSettings = (network: Network, host: HostView): BridgeSettings => {
  const read = known.get(network);
  if (read?.host === host) return read.settings;
  const settings = settingsOf(network, host);
  known.set(network, { host, settings });
  return settings;
};

/** `--icc` and `--ip-masq` are the default bridge's only, as Docker's. */
const settingsOf = (network: Network, host: HostView): BridgeSettings => {
  const { name, ...options } = readOptions(network);
  const { adopted } = network;
  return {
    ...options,
    bridge: name ?? bridgeOf(network),
    owned: adopted === undefined,
    // A port with less would lower the MTU of a bridge that has none set.
    mtu: options.mtu || host.mtu || adopted?.mtu || DEFAULT_MTU,
    masquerade: options.masquerade ?? (options.defaultBridge ? host.ipMasquerade : true),
    icc: options.icc ?? (options.defaultBridge ? host.icc : true),
  };
};
