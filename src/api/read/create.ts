/**
 * `POST /containers/create`: Docker's three-part body → the engine's request. Pure; differences between API versions
 * are settled here, so nothing behind this file knows of versions.
 */
import type { ContainerCreateRequest } from '../../engine/contract.js';
import { invalid, notImplemented } from '../../errors.js';
import {
  type ContainerConfig,
  type EndpointSettings,
  type HostConfig,
  joinedContainer,
  NO_SETTINGS,
} from '../../model/container.js';
import { validateContainer } from '../validate/container.js';
import { isUserDefined } from '../validate/network-mode.js';
import { normaliseExposedPorts, normalisePortBindings } from '../validate/ports.js';
import { CONFIG_FIELDS, type CreateBody, createSchema, hostConfigSchema } from './container.js';
import { decode } from './decode.js';
import { type EndpointRequest, readEndpoint } from './endpoint.js';

export interface CreateParameters {
  readonly name: string;
  readonly platform: string;
  /** minor number of the API version */
  readonly minor: number;
}

type Networks = readonly { readonly network: string; readonly settings: EndpointSettings }[];

/** Throws invalid, in moby's words. */
export const readCreate = (
  body: unknown,
  parameters: CreateParameters,
): { readonly request: ContainerCreateRequest; readonly warnings: readonly string[] } => {
  if (body === undefined) throw invalid('invalid JSON: got EOF while reading request body');
  if (!hasConfig(body)) throw invalid('config cannot be empty in order to create a container');
  const decoded = decode(createSchema, body);
  const config = readConfig(decoded, parameters.minor);
  const warnings: string[] = [];
  const host = readHostConfig(decoded, parameters.minor, warnings);
  const endpoints = readEndpoints(decoded, host.NetworkMode, parameters.minor);
  // Conflicts are judged before older versions' container-wide settings move to an endpoint.
  validateContainer(config, host);
  const mac = decoded.MacAddress ?? '';
  const withMac = placeMac(endpoints, host.NetworkMode, mac, parameters.minor, warnings);
  const moved = placeSysctls(withMac, host, parameters.minor, warnings);
  return {
    request: {
      name: parameters.name,
      platform: parameters.minor >= 41 ? parameters.platform : '',
      config,
      hostConfig: moved.host,
      networks: moved.networks,
    },
    warnings,
  };
};

const hasConfig = (body: unknown): boolean => {
  if (typeof body !== 'object' || body === null) return false;
  const known = new Set(CONFIG_FIELDS.map((name) => name.toLowerCase()));
  return Object.entries(body).some(([key, value]) => value !== null && known.has(key.toLowerCase()));
};

const readConfig = (body: CreateBody, minor: number): ContainerConfig => {
  // The MAC address of the whole container is the endpoint's (see placeMac); the rest is as sent.
  const { HostConfig: _host, NetworkingConfig: _networks, MacAddress: _mac, ...config } = body;
  const { Healthcheck: check, ExposedPorts: exposed, ...others } = config;
  const { StartInterval: interval, ...olderCheck } = check ?? {};
  return {
    ...others,
    ...(exposed === undefined ? {} : { ExposedPorts: normaliseExposedPorts(exposed) }),
    ...(check === undefined
      ? {}
      : { Healthcheck: minor >= 44 && interval !== undefined ? check : olderCheck }),
  };
};

const readHostConfig = (body: CreateBody, minor: number, warnings: string[]): HostConfig => {
  const sent = body.HostConfig ?? decode(hostConfigSchema, {});
  if (minor >= 52) warnOfEmptyBindings(sent.PortBindings, warnings);
  checkMounts(sent.Mounts ?? [], minor);
  const { PortBindings, NetworkMode, IpcMode, PidsLimit, ...others } = sent;
  return {
    ...others,
    // `default` means bridge on this system; nothing behind the API needs to know both words.
    NetworkMode: NetworkMode === '' || NetworkMode === 'default' ? 'bridge' : NetworkMode,
    IpcMode: IpcMode === '' && minor < 40 ? 'shareable' : IpcMode,
    PidsLimit: PidsLimit !== null && PidsLimit <= 0 ? null : PidsLimit,
    PortBindings: normalisePortBindings(PortBindings),
  };
};

const warnOfEmptyBindings = (bindings: Readonly<Record<string, unknown>>, warnings: string[]): void => {
  const empty = Object.keys(bindings).filter((port) => {
    const list = bindings[port];
    return list === null || (Array.isArray(list) && list.length === 0);
  });
  if (empty.length === 0) return;
  warnings.push(
    `Following container port(s) have an empty list of port-bindings: ${empty.join(', ')}. Such bindings will be discarded in a future version.`,
  );
};

type Mounts = NonNullable<NonNullable<CreateBody['HostConfig']>['Mounts']>;

const checkMounts = (mounts: Mounts, minor: number): void => {
  for (const mount of mounts) {
    if (mount.Target === '')
      throw invalid(`invalid mount config for type "${mount.Type}": field Target must not be empty`);
    if ((mount.TmpfsOptions?.Options ?? []).length > 0)
      throw notImplemented('options of a tmpfs besides its size and mode are not supported');
    if (minor < 42) continue;
    for (const [field, type] of [
      ['VolumeOptions', 'volume'],
      ['BindOptions', 'bind'],
      ['TmpfsOptions', 'tmpfs'],
    ] as const) {
      if (mount[field] !== undefined && mount.Type !== type) {
        throw invalid(`${field} must not be specified on mount type "${mount.Type}"`);
      }
    }
  }
};

const readEndpoints = (body: CreateBody, mode: string, minor: number): Networks => {
  const sent = Object.entries(body.NetworkingConfig?.EndpointsConfig ?? {});
  if (minor < 44 && sent.length > 1) {
    throw invalid(
      `Container cannot be created with multiple network endpoints: ${sent.map(([name]) => name).join(', ')}`,
    );
  }
  const networks = sent.map(([name, request]) => ({
    network: name === 'default' ? 'bridge' : name,
    settings: readEndpoint(olderEndpoint(request, minor)),
  }));
  // The network of NetworkMode is made first; the others keep the order in which they were sent.
  return [
    ...networks.filter(({ network }) => network === mode),
    ...networks.filter(({ network }) => network !== mode),
  ];
};

const NO_REQUEST: EndpointRequest = { Links: [], Aliases: [], DriverOpts: {}, MacAddress: '', GwPriority: 0 };

const olderEndpoint = (request: EndpointRequest | null, minor: number): EndpointRequest => {
  const given = request ?? NO_REQUEST;
  return {
    ...given,
    MacAddress: minor < 44 ? '' : given.MacAddress,
    GwPriority: minor < 48 ? 0 : given.GwPriority,
  };
};

/** The container-wide MacAddress: the only one before 1.44, deprecated until 1.51, refused since 1.52. */
const placeMac = (
  networks: Networks,
  mode: string,
  mac: string,
  minor: number,
  warnings: string[],
): Networks => {
  if (mac === '') return networks;
  if (minor >= 52) {
    throw invalid(
      'container-wide MAC address no longer supported; use endpoint-specific MAC address instead',
    );
  }
  const attachable = mode === 'bridge' || isUserDefined(mode);
  if (!attachable && minor < 44) throw invalid('conflicting options: mac-address and the network mode');
  if (minor >= 44) {
    warnings.push(
      'The container-wide MacAddress field is now deprecated. It should be specified in EndpointsConfig instead.',
    );
  }
  if (!attachable) return networks;
  const checked = readEndpoint({ ...NO_REQUEST, MacAddress: mac }).mac;
  return changeEndpoint(networks, mode, minor, (settings) => {
    if (settings.mac !== '' && settings.mac !== checked) {
      throw invalid(
        'the container-wide MAC address must match the endpoint-specific MAC address for the main network, or be left empty',
      );
    }
    return { ...settings, mac: checked };
  });
};

/** Changes the settings of the main network, adding them where none were sent. Throws invalid where it is unclear. */
const changeEndpoint = (
  networks: Networks,
  mode: string,
  minor: number,
  change: (settings: EndpointSettings) => EndpointSettings,
): Networks => {
  if (networks.length === 0) return [{ network: mode, settings: change(NO_SETTINGS) }];
  const at = minor < 44 ? 0 : networks.findIndex(({ network }) => network === mode);
  if (at < 0) {
    throw invalid('HostConfig.NetworkMode must match the identity of a network in NetworkSettings.Networks');
  }
  return networks.map((each, i) => (i === at ? { ...each, settings: change(each.settings) } : each));
};

const ENDPOINT_SYSCTLS = 'com.docker.network.endpoint.sysctls';

/** `net.*.*.eth0.*` sysctls belong to the main network's endpoint; before 1.48 they are moved there. */
const placeSysctls = (
  networks: Networks,
  host: HostConfig,
  minor: number,
  warnings: string[],
): { readonly networks: Networks; readonly host: HostConfig } => {
  const found = Object.entries(host.Sysctls ?? {})
    .map(([key, value]) => ({ key, value, parts: key.split('.') }))
    .filter(({ parts }) => parts.length >= 5 && parts[0] === 'net' && parts[3]?.startsWith('eth'));
  if (found.length === 0 || host.NetworkMode === 'host' || joinedContainer(host.NetworkMode) !== undefined) {
    return { networks, host };
  }
  const settings = found.map(({ key, value, parts }) => {
    if (minor > 47) {
      throw invalid(
        `interface specific sysctl setting "${key}" must be supplied using driver option '${ENDPOINT_SYSCTLS}'`,
      );
    }
    if (parts[3] !== 'eth0') {
      throw invalid(
        `unable to determine network endpoint for sysctl ${key}, use driver option '${ENDPOINT_SYSCTLS}' to set per-interface sysctls`,
      );
    }
    return `net.${parts[1]}.${parts[2]}.IFNAME.${parts.slice(4).join('.')}=${value}`;
  });
  const option = settings.join(',');
  warnings.push(
    `Migrated sysctl "${found.map(({ key }) => key).join(',')}" to DriverOpts{"${ENDPOINT_SYSCTLS}":"${option}"}.`,
  );
  const moved = new Set(found.map(({ key }) => key));
  return {
    networks: changeEndpoint(networks, host.NetworkMode, minor, (each) => {
      const own = each.driverOptions[ENDPOINT_SYSCTLS];
      // The endpoint's own settings come later and win.
      const value = own === undefined ? option : `${option},${own}`;
      return { ...each, driverOptions: { ...each.driverOptions, [ENDPOINT_SYSCTLS]: value } };
    }),
    host: {
      ...host,
      Sysctls: Object.fromEntries(Object.entries(host.Sysctls ?? {}).filter(([key]) => !moved.has(key))),
    },
  };
};
