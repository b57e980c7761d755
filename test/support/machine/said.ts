/** All that is on a machine, as sorted lines that a person can compare. */
import { everyInterface, type Interface, type World } from './world.js';

const nameOf = (link: Interface | undefined): string => (link ? `${link.ns.path}:${link.name}` : '-');

const ofInterface = (link: Interface): readonly string[] => {
  const { type, mac, mtu, up, master, hairpin, isolated, peer, lower, mode, transmit } = link;
  const name = nameOf(link);
  const on = [nameOf(master), nameOf(peer), nameOf(lower), mode, hairpin, isolated, transmit].join(' ');
  return [
    `link ${name} ${type} ${mac} ${mtu} ${up ? 'up' : 'down'} ${on}`,
    ...[...link.addresses].map((address) => `address ${name} ${address}`),
    ...[...link.neighbours].map(([address, mac]) => `neighbour ${name} ${address} ${mac}`),
    ...[...link.fdb].map((entry) => `fdb ${name} ${entry}`),
    ...[...link.peers].map(([key, peer]) => `peer ${name} ${key} ${peer}`),
    ...link.ns.routes
      .filter((route) => route.link === link)
      .map(({ destination, via, metric }) => `route ${name} ${destination} via ${via} ${metric}`),
  ];
};

/** Without what sysctls say, which stay where an interface stays. */
export const said = (world: World): readonly string[] =>
  [
    ...[...world.namespaces.keys()].map((path) => `namespace ${path}`),
    ...everyInterface(world).flatMap(ofInterface),
    ...[...world.sets].flatMap(([set, elements]) =>
      [...elements].map(([key, { data }]) => `element ${set} ${key} : ${data?.join(' . ') ?? ''}`),
    ),
    ...[...world.ports.values()].map((port) => `hostport ${JSON.stringify(port)}`),
    ...[...world.resolvers].map(([ns, id]) => `resolver ${ns} ${id}`),
    ...[...world.services].map(([ns, { services }]) => `services ${ns} ${JSON.stringify(services)}`),
    ...[...world.waysBack].map(([ns, { link }]) => `way back ${ns} ${link}`),
    ...[...world.flows.values()].map((flows) => `flows ${JSON.stringify(flows)}`),
    ...[...world.fastpaths].map((bridge) => `fastpath ${bridge}`),
    ...[...world.shortcuts.values()].map((shortcut) => `shortcut ${JSON.stringify(shortcut)}`),
    ...[...world.switches].flatMap(([name, { made, ports, flows }]) => [
      `switch ${name} ${JSON.stringify(made)}`,
      ...[...ports.values()].map((port) => `port ${name} ${JSON.stringify(port)}`),
      ...[...flows].map(
        ([key, { action, meter, cookie }]) =>
          `flow ${name} ${key} ${action} ${cookie} ${JSON.stringify(meter)}`,
      ),
    ]),
  ].sort();

/** By `namespace:interface` and path; a namespace's own under its path alone. */
export const sysctlsSaid = (world: World): ReadonlyMap<string, string> =>
  new Map([
    ...[...world.namespaces.values()].flatMap(({ path, sysctls }) =>
      [...sysctls].map(([name, value]) => [`${path} ${name}`, value] as const),
    ),
    ...everyInterface(world).flatMap((link) =>
      [...link.sysctls].map(([name, value]) => [`${nameOf(link)} ${name}`, value] as const),
    ),
  ]);
