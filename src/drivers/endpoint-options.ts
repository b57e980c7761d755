/** What a user may ask of one endpoint by driver options: its interface's name and sysctls, and what it may send (`sender.ts`). Same for every driver. Pure. */
import { invalid } from '../errors.js';
import { shown } from '../model/address.js';
import type { Netns, SysctlObject } from '../plan/objects.js';
import { isInterfaceName } from './options.js';
import { checkSender } from './sender.js';

export const IFNAME = 'com.docker.network.endpoint.ifname';
export const SYSCTLS = 'com.docker.network.endpoint.sysctls';

type Options = Readonly<Record<string, string>>;

interface InterfaceSysctl {
  /** `ipv4`, `ipv6`, `mpls` */
  readonly stack: string;
  /** `conf`, `neigh` */
  readonly table: string;
  readonly name: string;
  readonly value: string;
}

/** Characters of one sysctl, and of all of them. */
const LONGEST = 256;
const LONGEST_LIST = 16384;
/** Only these characters: nothing that could be another path below /proc/sys. The client lower-cases IFNAME. */
const SYSCTL = /^net\.(ipv4|ipv6|mpls)\.([a-z][a-z0-9_]*)\.(?:IFNAME|ifname)\.([a-z0-9_]+)=([^\n]*)$/;

const read = (text: string): InterfaceSysctl => {
  const [, stack, table, name, value] = (text.length <= LONGEST && SYSCTL.exec(text)) || [];
  if (stack === undefined || table === undefined || name === undefined || value === undefined)
    throw invalid(
      `invalid endpoint settings:\nunrecognised network interface sysctl '${shown(text)}'; represent 'net.X.Y.ethN.Z=V' as 'net.X.Y.IFNAME.Z=V', 'X' must be 'ipv4', 'ipv6' or 'mpls'`,
    );
  return { stack, table, name, value };
};

const requested = (options: Options): readonly InterfaceSysctl[] => {
  const text = options[SYSCTLS];
  if (!text) return [];
  if (text.length > LONGEST_LIST)
    throw invalid(`invalid endpoint settings:\ntoo many sysctls: ${shown(text)}`);
  return text.split(',').map(read);
};

/** Throws invalid for an interface name the kernel would refuse and for sysctls that are not one interface's. */
export const checkEndpointOptions = (options: Options): void => {
  const name = options[IFNAME];
  if (name && !isInterfaceName(name))
    throw invalid(`invalid endpoint settings:\ninvalid interface name: ${shown(name)}`);
  requested(options);
  checkSender(options);
};

/** The user's sysctls for the interface `link` in `ns`. */
export const endpointSysctls = (options: Options, ns: Netns, link: string): SysctlObject[] =>
  requested(options).map(({ stack, table, name, value }) => ({
    kind: 'sysctl',
    ns,
    path: `net/${stack}/${table}/${link}/${name}`,
    value,
  }));
