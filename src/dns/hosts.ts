/**
 * The texts of /etc/hosts and /etc/hostname, line by line as Docker writes them (moby: daemon/libnetwork/etchosts). Pure.
 */

import { isIPv4, isIPv6 } from 'node:net';
import { internal, invalid } from '../errors.js';
import { canonicalAddress } from '../model/address-bytes.js';

/** One line of /etc/hosts. */
export interface HostsRecord {
  /** bare address */
  readonly address: string;
  /** one or more names, separated by spaces */
  readonly names: string;
}

const LOCAL_IPV4: readonly HostsRecord[] = [{ address: '127.0.0.1', names: 'localhost' }];
const LOCAL_IPV6: readonly HostsRecord[] = [
  { address: '::1', names: 'localhost ip6-localhost ip6-loopback' },
  { address: 'fe00::', names: 'ip6-localnet' },
  { address: 'ff00::', names: 'ip6-mcastprefix' },
  { address: 'ff02::1', names: 'ip6-allnodes' },
  { address: 'ff02::2', names: 'ip6-allrouters' },
];

/** A name that holds a line end would make lines of its own. */
const oneLine = (text: string): string => text.replace(/[\r\n\0]/g, '');
const hostsLine = (record: HostsRecord): string => `${record.address}\t${oneLine(record.names)}\n`;

/** The container's own names: `host.domain host`, or the bare hostname. */
const ownNames = (hostname: string, domainname: string): string => {
  const full = domainname === '' ? hostname : `${hostname}.${domainname}`;
  const dot = full.indexOf('.');
  return dot < 0 ? full : `${full} ${full.slice(0, dot)}`;
};

/** One record for each of the container's addresses on one network (IPv4 first). */
export const ownRecords = (
  hostname: string,
  domainname: string,
  addresses: readonly string[],
): readonly HostsRecord[] => {
  const names = ownNames(hostname, domainname);
  return addresses.map((address) => ({ address, names }));
};

/** `--link` on the default bridge: `address alias hostname name`, the name only where it is not the alias. */
export const linkRecord = (link: {
  readonly address: string;
  readonly alias: string;
  /** of the linked container; its short id unless the user set one */
  readonly hostname: string;
  readonly name: string;
}): HostsRecord => {
  const name = link.alias === link.name ? '' : ` ${link.name}`;
  return { address: link.address, names: `${link.alias} ${link.hostname}${name}` };
};

const HOST_GATEWAY = 'host-gateway';

/**
 * `--add-host name:address`; `host-gateway` stands for the daemon's gateway addresses. Throws invalid on a bad entry,
 * internal where host-gateway has no address.
 */
export const extraRecords = (
  extraHosts: readonly string[],
  hostGateway: readonly string[],
): readonly HostsRecord[] =>
  extraHosts.flatMap((entry) => {
    const colon = entry.indexOf(':');
    if (colon < 1) throw invalid(`bad format for add-host: ${JSON.stringify(entry)}`);
    const names = entry.slice(0, colon);
    const address = entry.slice(colon + 1);
    if (address === HOST_GATEWAY) {
      if (hostGateway.length === 0) throw internal('unable to derive the IP value for host-gateway');
      return hostGateway.map((gateway) => ({ address: gateway, names }));
    }
    if (!isIPv4(address) && !isIPv6(address))
      throw invalid(`invalid IP address in add-host: ${JSON.stringify(address)}`);
    return [{ address, names }];
  });

export interface HostsRequest {
  /** `--add-host`, then links */
  readonly extra: readonly HostsRecord[];
  /** the container's own addresses */
  readonly own: readonly HostsRecord[];
  /** false: the sandbox has IPv6 switched off, no IPv6 line is written */
  readonly ipv6: boolean;
}

/** The whole of /etc/hosts. For `--network host` without `--add-host` the host's file is copied instead. */
export const hostsText = (request: HostsRequest): string => {
  const wanted = [...request.extra, ...request.own].filter((r) => request.ipv6 || !isIPv6(r.address));
  return [...LOCAL_IPV4, ...(request.ipv6 ? LOCAL_IPV6 : []), ...wanted].map(hostsLine).join('');
};

/** Connect: appended to whatever the file holds by now. */
export const withRecords = (text: string, records: readonly HostsRecord[]): string =>
  `${text}${text === '' || text.endsWith('\n') ? '' : '\n'}${records.map(hostsLine).join('')}`;

/** Disconnect: lines that still are exactly the records go; what a user changed stays. */
export const withoutRecords = (text: string, records: readonly HostsRecord[]): string => {
  const gone = new Set(records.map((r) => `${canonicalAddress(r.address)}\t${oneLine(r.names)}`));
  const kept = text.split('\n').filter((line) => {
    const tab = line.indexOf('\t');
    return tab < 0
      ? line !== ''
      : !gone.has(`${canonicalAddress(line.slice(0, tab).trim())}${line.slice(tab)}`);
  });
  return kept.map((line) => `${line}\n`).join('');
};

/** A linked container came back with another address of the same family: every line that begins with its alias follows. */
export const withAddress = (text: string, alias: string, address: string): string =>
  text
    .split('\n')
    .map((line) => {
      const tab = line.indexOf('\t');
      const names = line.slice(tab + 1);
      const sameFamily = isIPv6(line.slice(0, Math.max(tab, 0)).trim()) === isIPv6(address);
      return tab > 0 && sameFamily && names.split(/[\s.]/, 1)[0] === alias ? `${address}\t${names}` : line;
    })
    .join('\n');

/** /etc/hostname: without the domain, as Docker's. */
export const hostnameText = (hostname: string): string => `${oneLine(hostname)}\n`;
