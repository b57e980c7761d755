/**
 * Which addresses a node listens on and is reached at: `--listen-addr`, `--advertise-addr` and `--data-path-addr`, each an address
 * or the name of an interface, resolved as moby resolves them and refused in its words. Pure: the interfaces come in.
 */
import { isIP, isIPv4 } from 'node:net';
import { invalid, type ViaductError } from '../../errors.js';

export interface HostInterface {
  readonly name: string;
  readonly addresses: readonly { readonly address: string; readonly family: 4 | 6 }[];
  /** made by this daemon: the default bridge and the like */
  readonly ours: boolean;
}

export interface Place {
  readonly host: string;
  readonly port: string;
}

const DEFAULT_PORT = '2377';
const NO_ADDRESS = "could not find the system's IP address";
const MUST_LISTEN =
  "must specify a listening address because the address to advertise is not recognized as a system address, and a system's IP address to use could not be uniquely identified";
const BAD = {
  listen: 'listen address must be an IP address or network interface (with optional port number)',
  advertise:
    'advertise address must be a non-zero IP address or network interface (with optional port number)',
  defaultAdvertise:
    'default advertise address must be a non-zero IP address or network interface (without a port number)',
  dataPath: 'data path address must be a non-zero IP address or network interface (without a port number)',
} as const;

export const joinPlace = ({ host, port }: Place): string =>
  isIP(host) === 6 ? `[${host}]:${port}` : `${host}:${port}`;

/** `192.0.2.1:2377`, `[2001:db8::1]:2377`, `eth0:2377`. Undefined where there is no port. */
export const splitPlace = (text: string): Place | undefined => {
  const found = /^\[([^\]]*)\]:(\d{1,5})$/.exec(text) ?? /^([^:]*):(\d{1,5})$/.exec(text);
  return found && Number(found[2]) < 65_536 ? { host: found[1] ?? '', port: found[2] ?? '' } : undefined;
};

/** An address with the port of managers, where it has none. */
export const withPort = (text: string): string =>
  splitPlace(text) ? text : joinPlace({ host: text.replace(/^\[(.*)\]$/, '$1'), port: DEFAULT_PORT });

const isUnspecified = (address: string): boolean => address === '0.0.0.0' || /^[0:]+$/.test(address);
const isLinkLocal = (address: string): boolean => /^(169\.254\.|fe[89ab])/i.test(address);

/**
 * The one address of an interface; IPv4 before IPv6, of which each interface has one more that is for its link alone. Undefined where
 * there is no such interface.
 */
const ofInterface = (name: string, interfaces: readonly HostInterface[]): string | undefined => {
  const found = interfaces.find((each) => each.name === name);
  if (!found) return undefined;
  for (const family of [4, 6] as const) {
    const [first, second] = found.addresses.filter(
      (each) => each.family === family && (family === 4 || !isLinkLocal(each.address)),
    );
    if (first && second)
      throw invalid(
        `interface ${name} has more than one IPv${family} address (${first.address} and ${second.address})`,
      );
    if (first) return first.address;
  }
  throw invalid(`interface ${name} has no usable IPv4 or IPv6 address`);
};

const resolve = (text: string, interfaces: readonly HostInterface[], what: keyof typeof BAD): string => {
  const found = ofInterface(text, interfaces);
  if (found !== undefined) return found;
  if (isIP(text) !== 0 && (what === 'listen' || !isUnspecified(text))) return text;
  throw invalid(BAD[what]);
};

const severalAddresses = (a: string, b: string, first: string, second: string): ViaductError =>
  a === b
    ? invalid(
        `could not choose an IP address to advertise since this system has multiple addresses on interface ${a} (${first} and ${second}) - specify one with --advertise-addr`,
      )
    : invalid(
        `could not choose an IP address to advertise since this system has multiple addresses on different interfaces (${first} on ${a} and ${second} on ${b}) - specify one with --advertise-addr`,
      );

/** The host's only address: not a loopback, link-local or container one. */
const systemAddress = (interfaces: readonly HostInterface[]): string => {
  let chosen: { name: string; address: string } | undefined;
  for (const { name, addresses, ours } of interfaces) {
    if (ours || name === 'lo') continue;
    const usable = addresses.filter(({ address }) => !isLinkLocal(address));
    for (const family of [4, 6] as const) {
      const [first, second] = usable.filter((each) => each.family === family);
      if (first && second) throw severalAddresses(name, name, first.address, second.address);
    }
    const one = usable.find(({ family }) => family === 4) ?? usable[0];
    if (!one) continue;
    if (chosen) throw severalAddresses(chosen.name, name, chosen.address, one.address);
    chosen = { name, address: one.address };
  }
  if (!chosen) throw invalid(NO_ADDRESS);
  return chosen.address;
};

export interface AddressRequest {
  readonly listen: string;
  /** empty: to be found out */
  readonly advertise: string;
  /** of the daemon's settings */
  readonly defaultAdvertise: string;
  readonly dataPath: string;
}

export const listenPlace = (text: string, interfaces: readonly HostInterface[]): Place => {
  if (text === '') throw invalid(`invalid ListenAddr "": invalid empty address`);
  const place = splitPlace(withPort(text.replace(/^tcp:\/\//, '')));
  if (!place) throw invalid(`could not parse listen address ${text.slice(0, 200)}`);
  return { host: resolve(place.host, interfaces, 'listen'), port: place.port };
};

/** What was asked for; undefined where nothing was, neither here nor in the daemon's settings. */
export const askedAdvertise = (
  { advertise, defaultAdvertise }: Pick<AddressRequest, 'advertise' | 'defaultAdvertise'>,
  port: string,
  interfaces: readonly HostInterface[],
): Place | undefined => {
  if (advertise !== '') {
    const place = splitPlace(advertise) ?? { host: advertise, port };
    return { host: resolve(place.host, interfaces, 'advertise'), port: place.port };
  }
  if (defaultAdvertise === '') return undefined;
  return { host: resolve(defaultAdvertise, interfaces, 'defaultAdvertise'), port };
};

export const dataPathAddress = (text: string, interfaces: readonly HostInterface[]): string =>
  text === '' ? '' : resolve(text, interfaces, 'dataPath');

/** Of a node that begins a cluster. Throws invalid. */
export const resolveAddresses = (
  request: AddressRequest,
  interfaces: readonly HostInterface[],
): { readonly listen: Place; readonly advertise: Place; readonly dataPath: string } => {
  const listen = listenPlace(request.listen, interfaces);
  const advertise = askedAdvertise(request, listen.port, interfaces) ?? {
    host: isUnspecified(listen.host) ? systemAddress(interfaces) : listen.host,
    port: listen.port,
  };
  const known = interfaces.some(({ addresses }) => addresses.some((each) => each.address === advertise.host));
  if (isUnspecified(listen.host) && !known) {
    try {
      systemAddress(interfaces);
    } catch (cause) {
      throw invalid(MUST_LISTEN, cause);
    }
  }
  return { listen, advertise, dataPath: dataPathAddress(request.dataPath, interfaces) };
};

/** All of both families where `::` or `0.0.0.0` was given: a cluster is of one family, the host need not be. */
export const bindHost = (host: string): string => (isUnspecified(host) && isIPv4(host) ? '::' : host);

/** Where this machine reaches its own manager, whatever it is called outside. */
export const ownDoor = (listen: string): string => {
  const { host, port } = splitPlace(listen) ?? { host: '', port: DEFAULT_PORT };
  return joinPlace({ host: host === '' || isUnspecified(host) ? '127.0.0.1' : host, port });
};
