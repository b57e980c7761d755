/** What a user asks of one endpoint: made canonical, and checked before anything of the endpoint is decided. Pure. */
import { defined } from '../../defined.js';
import type { Driver } from '../../drivers/contract.js';
import { checkEndpointOptions } from '../../drivers/endpoint-options.js';
import { forbidden, invalid } from '../../errors.js';
import { parseMac } from '../../ipam/mac.js';
import { requestedAddresses } from '../../ipam/requested.js';
import type { EndpointSettings } from '../../model/container.js';
import { isMadeByNodes, type Network } from '../../model/network.js';
import { parseLink } from './links.js';

/** What the user wrote, made canonical: addresses, MAC, driver options. Throws invalid with moby's words. */
export const canonicalSettings = (settings: EndpointSettings): EndpointSettings => {
  checkEndpointOptions(settings.driverOptions);
  const { linkLocal, ipv4, ipv6 } = requestedAddresses(settings);
  const { ipv4: _4, ipv6: _6, ...rest } = settings;
  const mac = settings.mac === '' ? '' : parseMac(settings.mac);
  return { ...rest, mac, linkLocal, ...defined({ ipv4, ipv6 }) };
};

/** Docker's rules on what may be asked of an endpoint. `driver`: undefined for a plugin's. */
export const checkSettings = (
  network: Network,
  settings: EndpointSettings,
  driver: Driver | undefined,
): void => {
  driver?.checkEndpoint?.(settings.driverOptions);
  settings.links.forEach(parseLink);
  const fixed = settings.ipv4 !== undefined || settings.ipv6 !== undefined;
  if (network.predefined && settings.aliases.length > 0)
    throw invalid('network-scoped aliases are only supported for user-defined networks');
  if (network.predefined && fixed)
    throw invalid('user-specified IP address is supported on user-defined networks only');
  if (network.configOnly)
    throw forbidden(`configuration-only network ${network.name} cannot be connected to`);
  if (isMadeByNodes(network) && !network.attachable && !settings.assigned)
    throw forbidden(`network ${network.name} not manually attachable`);
  for (const [address, on] of [
    [settings.ipv4, network.ipv4],
    [settings.ipv6, network.ipv6],
  ] as const)
    if (address !== undefined && !on)
      throw invalid(`invalid endpoint settings:\nno configured subnet contains IP address ${address}`);
};
