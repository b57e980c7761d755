/** Services on a swarm's network as `network inspect --verbose` reads them: from what this host has of the network. Pure. */
import { bare } from '../../model/address.js';
import type { Balancer } from '../../model/balancer.js';
import type { Endpoint } from '../../model/endpoint.js';
import type { Peer } from '../../model/peer.js';

type Placed = Pick<Endpoint, 'id' | 'containerName' | 'ipv4' | 'ipv6'> & { readonly host: string };

interface ServiceInfo {
  readonly VIP: string;
  readonly Ports: readonly string[];
  /** of ip_vs, which nobody uses here */
  readonly LocalLBIndex: 0;
  readonly Tasks: readonly {
    readonly Name: string;
    readonly EndpointID: string;
    readonly EndpointIP: string;
    readonly Info: { readonly 'Host IP': string };
  }[];
}

/** As Go prints an address that is not there. */
const NONE = '<nil>';

/** Of `web.1.ID`, a task's container. */
const firstPart = (name: string): string => name.split('.')[0] ?? '';

const TASK = /^[^.]+\.[^.]+\.[0-9a-z]{25}$/;

/** Whose a container is, by its address; by its name where it is not up yet or not well, and so nobody's backend. */
const owners = (balancers: readonly Balancer[]): ((placed: Placed) => Balancer | undefined) => {
  const byName = new Map(balancers.map((balancer) => [balancer.names[0], balancer]));
  const byAddress = new Map(
    balancers.flatMap((balancer) => {
      const addresses = balancer.backends.flatMap(({ ipv4, ipv6 }) => [ipv4, ipv6]);
      return [...addresses, ...(balancer.leaving ?? [])].map((address) => [address, balancer] as const);
    }),
  );
  return ({ containerName, ipv4, ipv6 }) =>
    (ipv4 === undefined ? undefined : byAddress.get(bare(ipv4))) ??
    (ipv6 === undefined ? undefined : byAddress.get(bare(ipv6))) ??
    (TASK.test(containerName) ? byName.get(firstPart(containerName)) : undefined);
};

const present = (balancer: Balancer | undefined, tasks: readonly Placed[]): ServiceInfo => ({
  VIP: balancer?.vip4 ?? balancer?.vip6 ?? NONE,
  Ports: (balancer?.ports ?? []).map(
    ({ targetPort, publishedPort }) => `Target: ${targetPort}, Publish: ${publishedPort}`,
  ),
  LocalLBIndex: 0,
  Tasks: tasks.map(({ id, containerName, ipv4, ipv6, host }) => ({
    Name: containerName,
    EndpointID: id,
    EndpointIP: bare(ipv4 ?? ipv6 ?? NONE),
    Info: { 'Host IP': host },
  })),
});

/** By the name of the service; containers of none are together under an empty one, as in moby. `host`: this one's address. */
export const presentNetworkServices = (
  balancers: readonly Balancer[],
  endpoints: readonly Endpoint[],
  peers: readonly Peer[],
  host: string,
): Readonly<Record<string, ServiceInfo>> => {
  const placed: readonly Placed[] = [
    ...endpoints.map((endpoint) => ({ ...endpoint, host })),
    ...peers.flatMap(({ endpoints: all, address }) => all.map((each) => ({ ...each, host: address }))),
  ];
  const ownerOf = owners(balancers);
  const groups = new Map<Balancer | undefined, Placed[]>();
  for (const each of placed) {
    const owner = ownerOf(each);
    const group = groups.get(owner);
    if (group) group.push(each);
    else groups.set(owner, [each]);
  }
  return Object.fromEntries(
    [...groups].map(([balancer, tasks]) => [
      balancer ? (balancer.names[0] ?? firstPart(tasks[0]?.containerName ?? '')) : '',
      present(balancer, tasks),
    ]),
  );
};
