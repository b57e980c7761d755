/**
 * What plugins may answer, method by method. Read as moby's decoder reads (unknown fields ignored, null is "not given",
 * names in any case), then checked further than moby does: addresses, MACs and interface names are what they claim to be.
 */

import * as z from 'zod';
import { isInterfaceName } from '../drivers/options.js';
import { attempt } from '../errors.js';
import { fields as goFields } from '../go-fields.js';
import { parseMac } from '../ipam/mac.js';
import { formatAddress, formatPrefix, masked, parseAddress, parsePrefix } from '../model/address.js';
import type { Family } from '../model/network.js';

/** An answer of null says nothing of any field. */
const fields = <Shape extends z.ZodRawShape>(shape: Shape) =>
  z.preprocess((value) => value ?? {}, goFields(shape));

const text = z.string().max(4096).default('');
const flag = z.boolean().default(false);
const texts = z.record(z.string(), z.string()).default({});

/** An empty text is "not given"; anything else must be readable. */
const readable = <T>(what: string, read: (text: string) => T | undefined) =>
  text.transform((value, context): T | undefined => {
    if (value === '') return undefined;
    const found = read(value);
    if (found === undefined) context.addIssue({ code: 'custom', message: `not ${what}` });
    return found;
  });

const cidr = (family?: Family) =>
  readable(
    family === undefined ? 'an address with prefix length' : `an IPv${family} address with prefix length`,
    (value) => {
      const prefix = parsePrefix(value);
      return prefix && (family === undefined || prefix.family === family) ? formatPrefix(prefix) : undefined;
    },
  );

const bareAddress = (family?: Family) =>
  readable(family === undefined ? 'an IP address' : `an IPv${family} address`, (value) => {
    const address = parseAddress(value);
    return address && (family === undefined || address.family === family)
      ? formatAddress(address)
      : undefined;
  });

const subnet = readable('a subnet', (value) => {
  const prefix = parsePrefix(value);
  return prefix && formatPrefix(masked(prefix));
});

const mac = readable('a unicast MAC address', (value) =>
  attempt(() => {
    const found = parseMac(value);
    const multicast = (Number.parseInt(found.slice(0, 2), 16) & 1) === 1;
    return multicast || found === '00:00:00:00:00:00' ? undefined : found;
  }),
);

const linkName = readable('the name of an interface', (value) =>
  isInterfaceName(value) && value !== 'lo' ? value : undefined,
);
/** A number of three digits must still fit behind it. */
const linkPrefix = readable('the beginning of an interface’s name', (value) =>
  isInterfaceName(`${value}000`) ? value : undefined,
);

export const NOTHING = fields({});

export const MANIFEST = fields({ Implements: z.array(z.string()).default([]) });

const scope = z.enum(['local', 'global']);
export const NETWORK_CAPABILITIES = fields({
  Scope: scope,
  ConnectivityScope: z.union([scope, z.literal('')]).default(''),
  GwAllocChecker: flag,
});

export const GATEWAY_CHECK = fields({ SkipIPv4: flag, SkipIPv6: flag });

export const CREATED_ENDPOINT = fields({
  Interface: fields({ Address: cidr(4), AddressIPv6: cidr(6), MacAddress: mac }).optional(),
});

/** libnetwork's `types.NEXTHOP` and `types.CONNECTED`. */
export const ROUTE_TYPE = { nextHop: 0, connected: 1 } as const;
/** Far more than any plugin sends. */
const MOST_ROUTES = 1000;

const staticRoute = fields({
  Destination: subnet,
  RouteType: z.number().int().min(0).max(1).default(ROUTE_TYPE.nextHop),
  NextHop: bareAddress(),
});

export const JOINED = fields({
  InterfaceName: fields({ SrcName: linkName, DstPrefix: linkPrefix }).optional(),
  Gateway: bareAddress(4),
  GatewayIPv6: bareAddress(6),
  StaticRoutes: z.array(staticRoute).max(MOST_ROUTES).default([]),
  DisableGatewayService: flag,
});

export const IPAM_CAPABILITIES = fields({ RequiresMACAddress: flag, RequiresRequestReplay: flag });

export const ADDRESS_SPACES = fields({ LocalDefaultAddressSpace: text, GlobalDefaultAddressSpace: text });

export const REQUESTED_POOL = fields({ PoolID: text, Pool: subnet, Data: texts });

export const REQUESTED_ADDRESS = fields({ Address: cidr(), Data: texts });
