/**
 * What a bridge that is there already says of the addresses of a network that is to stand on it: its own are taken over.
 * For networks of users, and for the default one as moby's daemon decides it. Pure.
 */
import { invalid } from '../errors.js';
import type { Family, IpamConfig } from '../model/network.js';
import {
  contains,
  formatAddress,
  formatPrefix,
  masked,
  type Prefix,
  parseAddress,
  parsePrefix,
  prefixOf,
} from './address.js';

/** Every interface has an address of it from the kernel: nobody's choice, but where it is asked for. */
const STANDARD_LINK_LOCAL = prefixOf('fe80::/64');

/** The bridge's addresses of the family, each with the length of its subnet. */
const addressesOf = (addresses: readonly string[], family: Family, linkLocal: boolean): readonly Prefix[] =>
  addresses
    .map(prefixOf)
    .filter((a) => a.family === family && (linkLocal || !contains(STANDARD_LINK_LOCAL, a)));

/** The bridge's further addresses in the subnet: no container may have them. */
const kept = (subnet: Prefix, own: readonly Prefix[], gateway: string | undefined): Record<string, string> =>
  Object.fromEntries(
    own
      .filter((a) => contains(subnet, a) && a.value !== subnet.value && formatAddress(a) !== gateway)
      .map((a) => [`bridge ${formatAddress(a)}`, formatAddress(a)]),
  );

const withAuxiliary = (config: IpamConfig, auxiliary: Readonly<Record<string, string>>): IpamConfig =>
  Object.keys(auxiliary).length === 0
    ? config
    : { ...config, auxiliary: { ...config.auxiliary, ...auxiliary } };

/**
 * What the user asked of a network's addresses, with what the bridge has where the user said nothing. `gateways`: for
 * which families the network wants one.
 */
export const takeOver = (
  asked: readonly IpamConfig[],
  addresses: readonly string[],
  on: Readonly<Record<Family, boolean>>,
  gateways: Readonly<Record<Family, boolean>>,
): readonly IpamConfig[] => {
  const familyOf = ({ subnet }: IpamConfig): Family | undefined => parsePrefix(subnet ?? '')?.family;
  const fill = (entry: IpamConfig, subnet: Prefix, own: readonly Prefix[]): IpamConfig => {
    const there = own.find((a) => a.bits === subnet.bits && contains(subnet, a));
    const address = parseAddress(entry.gateway ?? '') ?? (gateways[subnet.family] ? there : undefined);
    const gateway = address && formatAddress(address);
    return withAuxiliary(
      { ...entry, subnet: entry.subnet ?? formatPrefix(subnet), ...(gateway ? { gateway } : {}) },
      kept(subnet, own, gateway),
    );
  };
  const filled = asked.map((entry) => {
    const subnet = parsePrefix(entry.subnet ?? '');
    return subnet && subnet.value !== 0n && on[subnet.family]
      ? fill(entry, subnet, addressesOf(addresses, subnet.family, false))
      : entry;
  });
  const missing = ([4, 6] as const).filter((f) => on[f] && !asked.some((entry) => familyOf(entry) === f));
  const added = missing.flatMap((family) => {
    const own = addressesOf(addresses, family, false);
    return own[0] ? [fill({}, masked(own[0]), own)] : [];
  });
  return [...filled, ...added];
};

/** The daemon's settings of one family of the default bridge, and what the bridge has. */
export interface DefaultBridge {
  readonly family: Family;
  /** `--bip`: the bridge's address and subnet at once; empty: not given */
  readonly bip: string;
  /** `--fixed-cidr`: the range from which containers' addresses are taken; empty: not given */
  readonly fixed: string;
  /** `--default-gateway`, a router beside the bridge; empty: not given */
  readonly router: string;
  /** addresses on the bridge, with prefix length */
  readonly addresses: readonly string[];
  /** false: the administrator's (`--bridge`), whose addresses alone say what subnets there are */
  readonly managed: boolean;
}

/** One whose subnet has the range, else one within the range, else any. */
const bestAddress = (addresses: readonly Prefix[], range: Prefix | undefined): Prefix | undefined =>
  (range &&
    (addresses.find((a) => contains(masked(a), range)) ??
      addresses.find((a) => contains(masked(range), a)))) ??
  addresses[0];

/** A range that is beside, or bigger than, the subnet of the address. */
const misfits = (range: Prefix, address: Prefix): boolean =>
  !contains(masked(address), range) || range.bits < address.bits;

/** docker0's address is let go where the range has left its subnet, and has a bigger one where the range has outgrown it. */
const managedAddress = (address: Prefix, range: Prefix | undefined): Prefix | undefined => {
  if (!range) return address;
  if (!contains(masked(address), range)) return undefined;
  return range.bits < address.bits ? { ...address, bits: range.bits } : address;
};

/**
 * What the default bridge asks of the IPAM for one family; absent: a subnet is to be chosen. An IPv4 range that the
 * administrator's bridge contradicts is dropped with a warning, as moby does; throws invalid for an IPv6 one.
 */
export const defaultBridgeConfig = (
  asked: DefaultBridge,
): { readonly config?: IpamConfig; readonly warning?: string } => {
  const range = asked.fixed === '' ? undefined : prefixOf(asked.fixed);
  const linkLocal = range !== undefined && contains(STANDARD_LINK_LOCAL, range);
  const own = addressesOf(asked.addresses, asked.family, linkLocal);
  const found = bestAddress(own, range);
  const taken = found && asked.managed ? managedAddress(found, range) : found;
  const address = asked.bip === '' ? taken : prefixOf(asked.bip);
  const contradicts =
    range !== undefined && address !== undefined && !asked.managed && misfits(range, address);
  const warning = `--fixed-cidr${asked.family === 6 ? '-v6' : ''}=${asked.fixed} is outside any subnet that the addresses of the bridge name`;
  if (contradicts && asked.family === 6) throw invalid(warning);
  const subnet = address ?? range;
  if (!subnet) return {};
  const gateway = address && formatAddress(address);
  const router = asked.router === '' ? {} : { [`DefaultGatewayIPv${asked.family}`]: asked.router };
  const config: IpamConfig = {
    subnet: formatPrefix(masked(subnet)),
    ...(range && !contradicts ? { range: formatPrefix(masked(range)) } : {}),
    ...(gateway ? { gateway } : {}),
  };
  const others = own.filter((a) => formatAddress(a) !== asked.router);
  return {
    config: withAuxiliary(config, { ...kept(masked(subnet), others, gateway), ...router }),
    ...(contradicts ? { warning: `${warning}: addresses are taken from all of ${config.subnet}` } : {}),
  };
};
