/** A container's attachment to one network, as `inspect` and `ps` show it. Pure. */
import type { EndpointSettings } from '../../model/container.js';
import type { Endpoint } from '../../model/endpoint.js';
import { shortId } from '../../model/ids.js';
import type { Network } from '../../model/network.js';
import { poolHolding } from '../../model/pool.js';
import type { Answer } from '../schema/answer.js';
import { nullWhereEmpty } from './null.js';

export interface Attachment {
  readonly networkId: string;
  readonly name: string;
  readonly settings: EndpointSettings;
  /** present while the container runs */
  readonly endpoint?: Endpoint;
  /** as asked for, told until the first start; after that the endpoint knows it, or there is none */
  readonly mac?: string;
  /** absent where the network is gone or not made yet */
  readonly network?: Network;
}

const split = (cidr: string | undefined): readonly [address: string, length: number] => {
  if (cidr === undefined) return ['', 0];
  const slash = cidr.indexOf('/');
  return slash < 0 ? [cidr, 0] : [cidr.slice(0, slash), Number(cidr.slice(slash + 1))];
};

/** What the user asked for; of it `ps` shows the addresses alone. */
type Asked = 'IPAMConfig' | 'Links' | 'Aliases' | 'DriverOpts' | 'DNSNames';

/** Fields that `ps` shows, too. */
const presentAddresses = (attachment: Attachment): Omit<Answer<'EndpointSettings'>, Asked> => {
  const { endpoint, network, settings } = attachment;
  const [ipv4, length4] = split(endpoint?.ipv4);
  const [ipv6, length6] = split(endpoint?.ipv6);
  // An internal network leads nowhere, nor does one that spans hosts (docker_gwbridge does): Docker shows no gateway for them.
  // A plugin names the gateway with each endpoint.
  const known = (family: 4 | 6, address: string): string | undefined =>
    endpoint?.plugin
      ? endpoint.plugin[`gateway${family}`]
      : network && poolHolding(network, address)?.gateway;
  const gateway = (family: 4 | 6, address: string): string =>
    address === '' || network === undefined || network.internal || network.overlay
      ? ''
      : (known(family, address) ?? '');
  return {
    MacAddress: endpoint?.mac ?? attachment.mac ?? '',
    NetworkID:
      network?.id ??
      endpoint?.networkId ??
      (attachment.networkId === attachment.name ? '' : attachment.networkId),
    EndpointID: endpoint?.id ?? '',
    Gateway: gateway(4, ipv4),
    IPAddress: ipv4,
    IPPrefixLen: length4,
    IPv6Gateway: gateway(6, ipv6),
    GlobalIPv6Address: ipv6,
    GlobalIPv6PrefixLen: length6,
    GwPriority: settings.gwPriority,
  };
};

const presentIpam = ({ ipv4, ipv6, linkLocal }: EndpointSettings): Answer<'EndpointIPAMConfig'> | null => {
  const LinkLocalIPs = linkLocal.length === 0 ? undefined : linkLocal;
  const asked = ipv4 ?? ipv6 ?? LinkLocalIPs;
  return asked === undefined ? null : { IPv4Address: ipv4, IPv6Address: ipv6, LinkLocalIPs };
};

export interface Owner {
  readonly id: string;
  readonly hostname: string;
}

/** Before API 1.45 aliases also held the short id and the hostname. */
export const presentEndpoint = (
  attachment: Attachment,
  owner: Owner,
  minor: number,
): Answer<'EndpointSettings'> => {
  const { settings, endpoint, name } = attachment;
  const userDefined = !['bridge', 'host', 'none'].includes(name);
  const aliases =
    minor < 45 && userDefined
      ? [...new Set([...settings.aliases, shortId(owner.id), owner.hostname])].filter((alias) => alias !== '')
      : settings.aliases;
  return {
    IPAMConfig: presentIpam(settings),
    Links: settings.links.length === 0 ? null : settings.links,
    Aliases: aliases.length === 0 ? null : aliases,
    DriverOpts: nullWhereEmpty(settings.driverOptions),
    ...presentAddresses(attachment),
    DNSNames: endpoint === undefined || endpoint.dnsNames.length === 0 ? null : endpoint.dnsNames,
  };
};

export const presentEndpointSummary = (attachment: Attachment): Answer<'EndpointSettings'> => ({
  IPAMConfig: presentIpam(attachment.settings),
  Links: null,
  Aliases: null,
  DriverOpts: null,
  ...presentAddresses(attachment),
  DNSNames: null,
});
