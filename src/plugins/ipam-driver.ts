/** `IpamDriver.*` of one plugin: requests as libnetwork's remote IPAM sends them, answers checked. */
import { internal, unavailable, ViaductError } from '../errors.js';
import { contains, parsePrefix } from '../model/address.js';
import { ADDRESS_SPACES, IPAM_CAPABILITIES, REQUESTED_ADDRESS, REQUESTED_POOL } from './answers.js';
import type { Client } from './client.js';
import type { IpamPlugin } from './contract.js';

/** A plugin without this call has no wishes. */
const capabilities = async ({ call }: Client) => {
  try {
    return await call('IpamDriver.GetCapabilities', undefined, IPAM_CAPABILITIES);
  } catch (error) {
    if (error instanceof ViaductError && error.kind === 'unavailable')
      throw unavailable(error.message, error);
    return { RequiresMACAddress: false, RequiresRequestReplay: false };
  }
};

/** The label under which a pool's answer may name the gateway along with it. */
const GATEWAY = 'com.docker.network.gateway';

const gatewayIn = (data: Readonly<Record<string, string>>, subnet: string): string | undefined => {
  const text = data[GATEWAY];
  if (!text) return undefined;
  const [gateway, pool] = [parsePrefix(text), parsePrefix(subnet)];
  if (!gateway || !pool || !contains(pool, gateway))
    throw internal(
      `failed to parse gateway address (${text.slice(0, 64)}) returned by ipam driver: not an address in ${subnet}`,
    );
  return text;
};

export const createIpamPlugin = async (client: Client): Promise<IpamPlugin> => {
  const { call } = client;
  const { RequiresMACAddress, RequiresRequestReplay } = await capabilities(client);
  return {
    requiresMac: RequiresMACAddress,
    requiresReplay: RequiresRequestReplay,
    async addressSpaces() {
      const answer = await call('IpamDriver.GetDefaultAddressSpaces', undefined, ADDRESS_SPACES);
      return { local: answer.LocalDefaultAddressSpace, global: answer.GlobalDefaultAddressSpace };
    },
    async requestPool({ addressSpace, pool, subPool, options, v6 }) {
      const body = { AddressSpace: addressSpace, Pool: pool, SubPool: subPool, Options: options, V6: v6 };
      const answer = await call('IpamDriver.RequestPool', body, REQUESTED_POOL);
      const subnet = answer.Pool;
      if (subnet === undefined) throw internal('ipam driver answered no pool');
      if (subnet.includes(':') !== v6)
        throw internal(`ipam driver answered ${subnet} for an IPv${v6 ? 6 : 4} pool`);
      const gateway = gatewayIn(answer.Data, subnet);
      return { id: answer.PoolID, subnet, ...(gateway === undefined ? {} : { gateway }) };
    },
    async requestAddress(poolId, address, options, family) {
      const body = { PoolID: poolId, Address: address, Options: options };
      const { Address: found } = await call('IpamDriver.RequestAddress', body, REQUESTED_ADDRESS);
      if (found === undefined) throw internal('no IP address returned by IPAM driver');
      if (found.includes(':') !== (family === 6))
        throw internal(`ipam driver answered ${found} for an IPv${family} address`);
      return found;
    },
  };
};
