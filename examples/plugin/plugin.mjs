#!/usr/bin/env node
/**
 * A network and IPAM plugin for Docker's engine API servers (Viaduct, dockerd), complete and small: a template.
 *
 *     sudo node plugin.mjs example            # answers as driver "example" until it is killed
 *     docker network create -d example --ipam-driver example mynet
 *
 * Each network is a Linux bridge, each endpoint a veth pair. The plugin keeps no state of its own for them: names follow
 * from the ids it is told, and the rest is read from the kernel. Address pools are kept in a file. So it may be killed
 * and started again at any moment. Needs root, Node ≥ 20 and `ip` (iproute2).
 */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { dirname, join } from 'node:path';

const [NAME = 'example', SOCKETS = '/run/docker/plugins', STATE = `/var/lib/${NAME}-plugin.json`] =
  process.argv.slice(2);

const ip = (...args) => execFileSync('ip', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
const succeeds = (...args) => {
  try {
    ip(...args);
    return true;
  } catch {
    return false;
  }
};

// ── NetworkDriver ───────────────────────────────────────────────────────────────────────────────────────────────────

/** Interface names have 15 bytes at most. */
const bridgeOf = (networkId) => `ex-${networkId.slice(0, 12)}`;
const outerOf = (endpointId) => `exo${endpointId.slice(0, 12)}`;
const innerOf = (endpointId) => `exi${endpointId.slice(0, 12)}`;

/** The gateway's address is the bridge's own: the kernel remembers it. No address, no gateway. */
const gatewayOf = (networkId) => {
  const [{ addr_info: addresses = [] } = {}] = JSON.parse(
    ip('-j', 'address', 'show', 'dev', bridgeOf(networkId)),
  );
  const bare = (family) => addresses.find((a) => a.family === family && a.scope === 'global')?.local ?? '';
  return { Gateway: bare('inet'), GatewayIPv6: bare('inet6') };
};

const networkDriver = {
  /** `local`: each host makes its own networks. `global` drivers span hosts. */
  GetCapabilities: () => ({ Scope: 'local', ConnectivityScope: 'local' }),

  /** Asked twice for the same network it must do no harm: an engine that was killed may ask again. */
  CreateNetwork({ NetworkID, Options, IPv4Data, IPv6Data }) {
    const bridge = bridgeOf(NetworkID);
    const { mtu = '1500', gateway } = Options?.['com.docker.network.generic'] ?? {};
    if (!/^[0-9]{2,5}$/.test(mtu)) throw new Error(`mtu must be a number, not ${mtu}`);
    if (gateway !== undefined && gateway !== 'none')
      throw new Error(`gateway can only be none, not ${gateway}`);
    if (!succeeds('link', 'show', bridge)) ip('link', 'add', bridge, 'mtu', mtu, 'type', 'bridge');
    for (const { Gateway } of [...(IPv4Data ?? []), ...(IPv6Data ?? [])])
      if (Gateway && gateway !== 'none')
        ip('address', 'replace', Gateway, 'dev', bridge, ...(Gateway.includes(':') ? ['nodad'] : []));
    ip('link', 'set', bridge, 'up');
    return {};
  },

  /** What is gone already is deleted. */
  DeleteNetwork({ NetworkID }) {
    if (succeeds('link', 'show', bridgeOf(NetworkID))) ip('link', 'delete', bridgeOf(NetworkID));
    return {};
  },

  /** The engine names the addresses; a MAC is ours to choose where the user chose none. */
  CreateEndpoint({ EndpointID, Interface }) {
    const mac = Interface?.MacAddress || `06:${EndpointID.slice(0, 10).replace(/(..)(?=.)/g, '$1:')}`;
    const [outer, inner] = [outerOf(EndpointID), innerOf(EndpointID)];
    if (!succeeds('link', 'show', outer))
      ip('link', 'add', outer, 'type', 'veth', 'peer', 'name', inner, 'address', mac);
    return { Interface: Interface?.MacAddress ? {} : { MacAddress: mac } };
  },

  EndpointOperInfo: ({ EndpointID }) => ({ Value: { outer: outerOf(EndpointID) } }),

  /** A container's end that went with its container took this end along. */
  DeleteEndpoint({ EndpointID }) {
    if (succeeds('link', 'show', outerOf(EndpointID))) ip('link', 'delete', outerOf(EndpointID));
    return {};
  },

  /** The engine moves SrcName into the container, names it eth0 (or eth1…) and gives it the addresses. */
  Join({ NetworkID, EndpointID }) {
    ip('link', 'set', outerOf(EndpointID), 'master', bridgeOf(NetworkID), 'up');
    return {
      InterfaceName: { SrcName: innerOf(EndpointID), DstPrefix: 'eth' },
      ...gatewayOf(NetworkID),
    };
  },

  Leave({ EndpointID }) {
    succeeds('link', 'set', outerOf(EndpointID), 'nomaster');
    return {};
  },

  /** Ports to publish are in Options; this template publishes none. */
  ProgramExternalConnectivity: () => ({}),
  RevokeExternalConnectivity: () => ({}),
  DiscoverNew: () => ({}),
  DiscoverDelete: () => ({}),
};

// ── IpamDriver ──────────────────────────────────────────────────────────────────────────────────────────────────────

/** pool id → { subnet: '10.90.0.0/24', taken: ['10.90.0.1'] }. IPv4, /16 to /30: enough for a template. */
const load = () => (existsSync(STATE) ? JSON.parse(readFileSync(STATE, 'utf8')) : {});
/** Renamed into place: a crash leaves the former file or this one, never half of it. */
const save = (pools) => {
  mkdirSync(dirname(STATE), { recursive: true });
  writeFileSync(`${STATE}.new`, JSON.stringify(pools));
  renameSync(`${STATE}.new`, STATE);
};

const numberOf = (address) => address.split('.').reduce((value, byte) => value * 256 + Number(byte), 0);
const addressOf = (number) => [24, 16, 8, 0].map((shift) => (number >>> shift) & 255).join('.');

const readSubnet = (text) => {
  const [, address, bits] = /^((?:[0-9]{1,3}\.){3}[0-9]{1,3})\/(1[6-9]|2[0-9]|30)$/.exec(text) ?? [];
  if (address === undefined) throw new Error(`cannot manage ${text}: IPv4 prefixes of 16 to 30 bits only`);
  return { first: numberOf(address), count: 2 ** (32 - Number(bits)), bits };
};

const poolNamed = (pools, id) => {
  if (!pools[id]) throw new Error(`no pool ${id}`);
  return pools[id];
};

const freePool = (pools) => {
  for (let i = 0; i < 256; i += 1) if (!pools[`10.90.${i}.0/24`]) return `10.90.${i}.0/24`;
  throw new Error('all pools are in use');
};

const ipamDriver = {
  /** Pools are in a file, so nothing need be asked again after a restart. */
  GetCapabilities: () => ({ RequiresMACAddress: false, RequiresRequestReplay: false }),
  GetDefaultAddressSpaces: () => ({
    LocalDefaultAddressSpace: `${NAME}-local`,
    GlobalDefaultAddressSpace: `${NAME}-global`,
  }),

  RequestPool({ Pool, V6 }) {
    if (V6) throw new Error('no IPv6 here');
    const pools = load();
    const subnet = Pool || freePool(pools);
    readSubnet(subnet);
    if (pools[subnet]) throw new Error(`pool ${subnet} is in use`);
    save({ ...pools, [subnet]: { taken: [] } });
    return { PoolID: subnet, Pool: subnet, Data: {} };
  },

  ReleasePool({ PoolID }) {
    const { [PoolID]: _, ...rest } = load();
    save(rest);
    return {};
  },

  /** Address is empty, or the one the user wants; the gateway's is asked for by an option. */
  RequestAddress({ PoolID, Address }) {
    const pools = load();
    const { taken } = poolNamed(pools, PoolID);
    const { first, count, bits } = readSubnet(PoolID);
    const used = new Set(taken);
    let address = Address;
    for (let i = 1; !address && i < count - 1; i += 1)
      if (!used.has(addressOf(first + i))) address = addressOf(first + i);
    if (!address) throw new Error(`pool ${PoolID} is full`);
    if (used.has(address)) throw new Error(`address ${address} is in use`);
    save({ ...pools, [PoolID]: { taken: [...taken, address] } });
    return { Address: `${address}/${bits}`, Data: {} };
  },

  ReleaseAddress({ PoolID, Address }) {
    const pools = load();
    if (pools[PoolID])
      save({ ...pools, [PoolID]: { taken: pools[PoolID].taken.filter((a) => a !== Address) } });
    return {};
  },
};

// ── The protocol: POST /Driver.Method, JSON both ways, errors in a field ────────────────────────────────────────────

const drivers = { NetworkDriver: networkDriver, IpamDriver: ipamDriver };
/** Network drivers say `Err`, IPAM drivers `Error`. */
const errorField = { NetworkDriver: 'Err', IpamDriver: 'Error' };

const answer = (path, body) => {
  if (path === '/Plugin.Activate') return [200, { Implements: Object.keys(drivers) }];
  const [driver, method] = path.slice(1).split('.');
  if (!Object.hasOwn(drivers, driver) || !Object.hasOwn(drivers[driver], method))
    return [404, { Err: `no ${path}` }];
  try {
    return [200, drivers[driver][method](body)];
  } catch (error) {
    return [200, { [errorField[driver]]: String(error.stderr || error.message).trim() }];
  }
};

const server = createServer((request, response) => {
  const chunks = [];
  request.on('data', (chunk) => chunks.push(chunk));
  request.on('end', () => {
    const text = Buffer.concat(chunks).toString();
    const [status, value] = answer(request.url, text === '' ? {} : JSON.parse(text));
    response.writeHead(status, { 'Content-Type': 'application/vnd.docker.plugins.v1.1+json' });
    response.end(JSON.stringify(value));
  });
});

const socket = join(SOCKETS, `${NAME}.sock`);
mkdirSync(SOCKETS, { recursive: true });
rmSync(socket, { force: true }); // left by one that was killed
server.listen(socket, () => console.log(`plugin ${NAME} listens on ${socket}`));
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => server.close(() => process.exit(0)));
