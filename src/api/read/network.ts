/** Bodies of the network routes: creating, connecting, disconnecting. */

import * as z from 'zod';
import { defined } from '../../defined.js';
import type { NetworkCreateRequest } from '../../engine/contract.js';
import { fields } from '../../go-fields.js';
import type { IpamConfig } from '../../model/network.js';
import { boolean, decode, string, stringMap } from './decode.js';
import { endpointSchema } from './endpoint.js';

const ipamConfigSchema = fields({
  Subnet: string.default(''),
  IPRange: string.default(''),
  Gateway: string.default(''),
  AuxiliaryAddresses: stringMap.default({}),
});

const createSchema = fields({
  Name: string.default(''),
  Driver: string.default(''),
  Scope: string.default(''),
  Internal: boolean.default(false),
  Attachable: boolean.default(false),
  Ingress: boolean.default(false),
  ConfigOnly: boolean.default(false),
  ConfigFrom: fields({ Network: string.default('') }).optional(),
  EnableIPv4: boolean.exactOptional(),
  EnableIPv6: boolean.exactOptional(),
  Options: stringMap.default({}),
  Labels: stringMap.default({}),
  IPAM: fields({
    Driver: string.default(''),
    Options: stringMap.optional(),
    Config: z.array(ipamConfigSchema.nullable()).default([]),
  }).optional(),
});

/** Throws invalid where the body does not fit; what it means is the engine's to judge. */
export const readNetworkCreate = (body: unknown, minor: number): NetworkCreateRequest => {
  const sent = decode(createSchema, body ?? {});
  return {
    name: sent.Name,
    driver: sent.Driver,
    scope: sent.Scope,
    internal: sent.Internal,
    attachable: sent.Attachable,
    ingress: sent.Ingress,
    configOnly: sent.ConfigOnly,
    configFrom: sent.ConfigFrom?.Network ?? '',
    // EnableIPv4 came with API 1.48; older clients' field is ignored.
    ...(sent.EnableIPv4 === undefined || minor < 48 ? {} : { ipv4: sent.EnableIPv4 }),
    ...(sent.EnableIPv6 === undefined ? {} : { ipv6: sent.EnableIPv6 }),
    options: sent.Options,
    labels: sent.Labels,
    ipam: {
      driver: sent.IPAM?.Driver ?? '',
      options: sent.IPAM?.Options ?? null,
      config: (sent.IPAM?.Config ?? []).flatMap((each) => (each === null ? [] : [readIpamConfig(each)])),
    },
  };
};

const readIpamConfig = (sent: z.infer<typeof ipamConfigSchema>): IpamConfig => ({
  ...defined({
    subnet: sent.Subnet || undefined,
    range: sent.IPRange || undefined,
    gateway: sent.Gateway || undefined,
  }),
  ...(Object.keys(sent.AuxiliaryAddresses).length === 0 ? {} : { auxiliary: sent.AuxiliaryAddresses }),
});

export const connectSchema = fields({
  Container: string.default(''),
  EndpointConfig: endpointSchema.optional(),
});

export const disconnectSchema = fields({
  Container: string.default(''),
  Force: boolean.default(false),
});
