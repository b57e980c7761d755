/** Docker's EndpointSettings of a request → what the model keeps. */

import { isIP, isIPv4, isIPv6 } from 'node:net';
import type { z } from 'zod';
import { defined } from '../../defined.js';
import { invalid } from '../../errors.js';
import { fields } from '../../go-fields.js';
import type { EndpointSettings } from '../../model/container.js';
import { integer, string, stringMap, strings } from './decode.js';

export const endpointSchema = fields({
  IPAMConfig: fields({
    IPv4Address: string.default(''),
    IPv6Address: string.default(''),
    LinkLocalIPs: strings.default([]),
  }).optional(),
  Links: strings.default([]),
  Aliases: strings.default([]),
  DriverOpts: stringMap.default({}),
  MacAddress: string.default(''),
  GwPriority: integer.default(0),
});

export type EndpointRequest = z.infer<typeof endpointSchema>;

/** What is no address at all does not get past moby's JSON decoder. */
const checkReadable = (address: string): void => {
  if (address !== '' && isIP(address) === 0)
    throw invalid(`invalid JSON: ParseAddr(${JSON.stringify(address.slice(0, 60))}): unable to parse IP`);
};

/** Throws invalid `invalid endpoint settings:\n…` with every fault. */
export const readEndpoint = (request: EndpointRequest): EndpointSettings => {
  const { IPv4Address = '', IPv6Address = '', LinkLocalIPs = [] } = request.IPAMConfig ?? {};
  for (const address of [IPv4Address, IPv6Address, ...LinkLocalIPs]) checkReadable(address);
  const faults: string[] = [];
  if (IPv4Address !== '' && !isIPv4(IPv4Address))
    faults.push(`invalid IPv4 address: ${IPv4Address.slice(0, 60)}`);
  if (IPv6Address !== '' && !isIPv6(IPv6Address))
    faults.push(`invalid IPv6 address: ${IPv6Address.slice(0, 60)}`);
  const mac = request.MacAddress.toLowerCase().replaceAll('-', ':');
  if (mac !== '' && !/^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/.test(mac)) {
    faults.push(`invalid MAC address: ${request.MacAddress.slice(0, 60)}`);
  }
  if (faults.length > 0) throw invalid(`invalid endpoint settings:\n${faults.join('\n')}`);
  return {
    ...defined({ ipv4: IPv4Address || undefined, ipv6: IPv6Address || undefined }),
    linkLocal: LinkLocalIPs,
    mac,
    aliases: request.Aliases,
    links: request.Links,
    driverOptions: request.DriverOpts,
    gwPriority: request.GwPriority,
  };
};
