/**
 * The store's values, written and read. Whoever can write there can say what it likes, so what is read is checked as a client's
 * request is: a value that is none is as if it were not there.
 */
import * as z from 'zod';
import { formatAddress, formatPrefix, masked, parseAddress, parsePrefix } from '../../model/address.js';
import type { Network } from '../../model/network.js';
import type { RemoteEndpoint } from '../../model/peer.js';
import { isTunnelKey, type Tunnel } from '../../model/tunnel.js';

const VERSION = 1;
const version = z.literal(VERSION);

const id = z.string().regex(/^[0-9a-f]{64}$/);
const name = z.string().min(1).max(255);
const texts = z.record(z.string().max(1024), z.string().max(16_384));
const address = z.string().refine((text) => {
  const parsed = parseAddress(text);
  return parsed !== undefined && parsed.value !== 0n && formatAddress(parsed) === text;
});
const subnet = z.string().refine((text) => {
  const parsed = parsePrefix(text);
  return parsed !== undefined && parsed.bits > 0 && formatPrefix(masked(parsed)) === text;
});
/** An address with the length of its subnet. */
const addressInSubnet = z.string().refine((text) => {
  const parsed = parsePrefix(text);
  return parsed !== undefined && formatPrefix(parsed) === text;
});
/** Of one interface, never of a group. */
const mac = z.string().regex(/^[0-9a-f][02468ace](:[0-9a-f]{2}){5}$/);
const family = z.union([z.literal(4), z.literal(6)]);

const tunnel = z.object({ key: z.string().refine(isTunnelKey), port: z.int().min(1).max(65_535) });
const place = { address, tunnel: tunnel.exactOptional() };

const pool = z.object({
  family,
  subnet,
  range: subnet.optional(),
  gateway: address.optional(),
  auxiliary: z.record(z.string().max(255), address),
});

const network = z.object({
  id,
  name,
  driver: z.literal('overlay'),
  scope: z.literal('global'),
  createdAt: z.string().max(64),
  ipv4: z.boolean(),
  ipv6: z.boolean(),
  internal: z.boolean(),
  attachable: z.boolean(),
  configOnly: z.literal(false),
  configFrom: z.string().max(255),
  options: texts,
  labels: texts,
  ipam: z.object({
    driver: z.literal('default'),
    options: texts.nullable(),
    config: z.array(
      z.object({
        subnet: z.string().max(64).optional(),
        range: z.string().max(64).optional(),
        gateway: z.string().max(64).optional(),
        auxiliary: texts.optional(),
      }),
    ),
  }),
  pools: z.array(pool).min(1).max(2),
  overlay: z.object({
    vni: z
      .int()
      .min(1)
      .max(2 ** 24 - 1),
    port: z.int().min(1).max(65_535),
    mtu: z.int().min(68).max(65_535),
    encrypted: z.literal(true).exactOptional(),
  }),
  predefined: z.literal(false),
});

const endpoint = z.object({
  id,
  containerId: id,
  containerName: name,
  mac,
  ipv4: addressInSubnet.optional(),
  ipv6: addressInSubnet.optional(),
  dnsNames: z.array(z.string().min(1).max(255)).max(256),
});

/** How a host is reached. */
export interface Place {
  /** bare */
  readonly address: string;
  /** on encrypted networks; absent: it takes no part in them */
  readonly tunnel?: Tunnel;
}

export interface StoredEndpoint extends Place {
  readonly endpoint: RemoteEndpoint;
}

export interface StoredNode extends Place {
  readonly name: string;
  /** of its wire, bytes; 0: not known */
  readonly mtu: number;
}

const json = (text: string): unknown => {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
};

/** undefined: it is none. An absent field is absent, not undefined: what was read is compared with what is known. */
const read =
  <S extends z.ZodType>(schema: S) =>
  (text: string): z.output<S> | undefined =>
    schema.safeParse(json(text)).data;

const networkValue = read(z.object({ version, network }));
const endpointValue = read(z.object({ version, ...place, endpoint }));
const nodeValue = read(z.object({ version, name, ...place, mtu: z.int().min(0).max(65_535) }));
const subnetsValue = read(z.record(z.string(), z.string()));

export const writeNetwork = (value: Network): string => JSON.stringify({ version: VERSION, network: value });
export const readNetwork = (text: string): Network | undefined =>
  networkValue(text)?.network as Network | undefined; // its brands are the store's to give
export const writeEndpoint = (value: StoredEndpoint): string =>
  JSON.stringify({ version: VERSION, ...value });
export const readEndpoint = (text: string): StoredEndpoint | undefined =>
  endpointValue(text) as StoredEndpoint | undefined;
export const writeNode = (value: StoredNode): string => JSON.stringify({ version: VERSION, ...value });
export const readNode = (text: string): StoredNode | undefined => nodeValue(text);
/** CIDR → network; in another's words, or absent: none. */
export const readSubnets = (text: string | undefined): Readonly<Record<string, string>> =>
  (text === undefined ? undefined : subnetsValue(text)) ?? {};
