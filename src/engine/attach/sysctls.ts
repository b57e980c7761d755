/**
 * What sysctls mean for a container's networks: those that every namespace of ours begins with, and those by which a user
 * takes IPv6 away, so that no address is put where the kernel would refuse it or a repair would bring it back. Pure.
 */
import { endpointSysctls } from '../../drivers/endpoint-options.js';
import { type EndpointSettings, type HostConfig, joinedContainer } from '../../model/container.js';
import type { Sandbox } from '../../model/endpoint.js';

type Sysctls = Readonly<Record<string, string>>;

/** `net/ipv6/conf/all/x` and `net.ipv6.conf.all.x` are one. */
const dotted = (name: string): string => name.replaceAll('/', '.');

/**
 * Docker's since 20.10: in a namespace of their own, processes that are not root may listen below 1024 and ping by
 * datagram sockets, so that an image needs no capability for either.
 */
const OF_OWN_NAMESPACE: Sysctls = {
  'net.ipv4.ip_unprivileged_port_start': '0',
  'net.ipv4.ping_group_range': '0 2147483647',
};

/**
 * For the OCI runtime. What the user names wins. The namespace of the host or of another container is as its owner has
 * it.
 */
export const startSysctls = ({ NetworkMode, Sysctls = {} }: HostConfig): Sysctls => {
  if (NetworkMode === 'host' || joinedContainer(NetworkMode) !== undefined) return Sysctls;
  const named = new Set(Object.keys(Sysctls).map(dotted));
  const ours = Object.entries(OF_OWN_NAMESPACE).filter(([name]) => !named.has(name));
  return { ...Object.fromEntries(ours), ...Sysctls };
};

const isOff = (value: string | undefined): boolean => value !== undefined && value.trim() !== '0';

const settingOf = (sysctls: Sysctls, wanted: string): string | undefined =>
  Object.entries(sysctls).find(([name]) => dotted(name) === wanted)?.[1];

/** Is IPv6 off in all of the sandbox, `::1` included? */
export const withoutIpv6 = ({ sysctls }: Pick<Sandbox, 'sysctls'>): boolean =>
  isOff(settingOf(sysctls, 'net.ipv6.conf.all.disable_ipv6'));

/** Does the user leave IPv6 on for this interface of the sandbox? What he says of the interface itself comes first. */
export const takesIpv6 = (
  sandbox: Pick<Sandbox, 'sysctls'>,
  { driverOptions }: Pick<EndpointSettings, 'driverOptions'>,
): boolean => {
  if (withoutIpv6(sandbox)) return false;
  const own = endpointSysctls(driverOptions, '', 'ifname').findLast(
    ({ path }) => path === 'net/ipv6/conf/ifname/disable_ipv6',
  );
  return !isOff(own?.value ?? settingOf(sandbox.sysctls, 'net.ipv6.conf.default.disable_ipv6'));
};
