/** Shortcuts that networks ask for and do not have now (ADR 39), told by the names that people know networks and containers by. */
import type { Suspended } from '../../kernel/contract.js';
import type { Network } from '../../model/network.js';
import type { Warning } from '../decision.js';
import type { View } from '../view.js';

type Asking = Pick<View, 'model' | 'drivers' | 'host'>;

/** By the records: of a network's options, and of its containers. */
const byRecords = ({ model, drivers, host }: Asking, network: Network): readonly string[] =>
  network.configOnly
    ? []
    : (drivers.get(network.driver)?.suspends?.({ network, host }, () =>
        model.endpointsOfNetwork(network.id).flatMap((endpoint) => {
          const sandbox = model.sandboxOf(endpoint);
          return sandbox ? [{ network, host, endpoint, sandbox }] : [];
        }),
      ) ?? []);

/** Whose bridge or port it is: the network's name, and the container's. */
const ownerOf = ({ model, drivers, host }: Asking, name: string): readonly (string | undefined)[] => {
  const endpoint = model.endpointOnLink(name);
  const on = [...model.networks.values()].find((network) =>
    endpoint
      ? network.id === endpoint.networkId
      : drivers.get(network.driver)?.hostInterface?.({ network, host }) === name,
  );
  return [on?.name, endpoint?.containerName];
};

const byKernel = (view: Asking, { name, reason }: Suspended): readonly Warning[] => {
  const [network, container] = ownerOf(view, name);
  if (network === undefined) return [];
  const whose = container === undefined ? '' : ` for ${container}`;
  return [
    { about: { network }, text: `network ${network}: viaduct.fastpath is suspended${whose}, as ${reason}` },
  ];
};

/** `networks`: of these, not of all. */
export const suspendedShortcuts = (
  view: Asking,
  suspended: readonly Suspended[],
  networks: Iterable<Network> = view.model.networks.values(),
): readonly Warning[] => [
  ...[...networks].flatMap((network) =>
    byRecords(view, network).map((text) => ({ about: { network: network.name }, text })),
  ),
  ...suspended.flatMap((each) => byKernel(view, each)),
];
