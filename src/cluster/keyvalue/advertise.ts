/** Reads `--cluster-advertise`: the address by which other hosts reach this one, and how long a packet on the way may be. */
import { readFileSync } from 'node:fs';
import { networkInterfaces } from 'node:os';
import type { ClusterConfig } from '../../config/contract.js';
import type { Wire } from '../../drivers/contract.js';
import { invalid } from '../../errors.js';
import { formatAddress, parseAddress } from '../../model/address.js';

interface HostAddress {
  readonly link: string;
  readonly address: string;
}

/** Link-local addresses are of no use to others, who cannot know the interface. */
const hostAddresses = (): readonly HostAddress[] =>
  Object.entries(networkInterfaces()).flatMap(([link, addresses = []]) =>
    addresses.flatMap(({ address }) => {
      const parsed = parseAddress(address.split('%')[0] ?? '');
      return parsed && !/^fe[89ab]/.test(address) ? [{ link, address: formatAddress(parsed) }] : [];
    }),
  );

/** Of an interface the first address, IPv4 before IPv6. Throws invalid. */
export const advertised = (
  { advertise }: Pick<ClusterConfig, 'advertise'>,
  known: readonly HostAddress[] = hostAddresses(),
): HostAddress => {
  const own = known.find(({ address }) => address === advertise);
  if (own) return own;
  if (parseAddress(advertise))
    throw invalid(
      `invalid cluster-advertise: this host has not the address ${advertise}: name one of its own`,
    );
  const onLink = known.filter(({ link }) => link === advertise);
  const found = onLink.find(({ address }) => !address.includes(':')) ?? onLink[0];
  if (!found)
    throw invalid(`invalid cluster-advertise: ${advertise} is no interface with an address of this host`);
  return found;
};

const mtuOf = (link: string): number => {
  try {
    return Number(readFileSync(`/sys/class/net/${link}/mtu`, 'utf8')) || 0;
  } catch {
    return 0;
  }
};

export const wireOf = ({ link, address }: HostAddress): Wire => ({
  mtu: mtuOf(link),
  family: address.includes(':') ? 6 : 4,
});
