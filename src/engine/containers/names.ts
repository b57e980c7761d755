/** What a sandbox can resolve: the embedded DNS's view of the model. Pure look-ups through indices. */
import type { Names } from '../../dns/contract.js';
import { bare } from '../../model/address.js';
import type { Endpoint } from '../../model/endpoint.js';
import { linkedOn } from '../attach/links.js';
import type { Model, NamedEndpoint } from '../commit/model.js';
import { resolveService, serviceAt } from './service-names.js';

type Addresses = NonNullable<ReturnType<Names['resolve']>>;

/** Only user-defined networks have name resolution; the default bridge knows links alone. */
const resolvable = (model: Model, endpoint: Endpoint): boolean => {
  const network = model.networks.get(endpoint.networkId);
  return network !== undefined && !network.predefined;
};

const addresses = (found: readonly NamedEndpoint[]): Addresses | undefined =>
  found.length === 0
    ? undefined
    : {
        ipv4: [...new Set(found.flatMap((e) => (e.ipv4 ? [bare(e.ipv4)] : [])))],
        ipv6: [...new Set(found.flatMap((e) => (e.ipv6 ? [bare(e.ipv6)] : [])))],
      };

/** A container comes before a service of its name, as for Docker. */
const onNetwork = (model: Model, networkId: string, name: string): Addresses | undefined =>
  addresses(model.endpointsNamed(networkId, name)) ?? resolveService(model, networkId, name);

/** `web.mynetwork` → what is called `web` on that network, when the sandbox is on it. */
const qualified = (model: Model, own: readonly Endpoint[], name: string): Addresses | undefined => {
  for (const { networkId } of own) {
    const suffix = `.${model.networks.get(networkId)?.name.toLowerCase() ?? ''}`;
    if (suffix.length === 1 || !name.endsWith(suffix)) continue;
    const found = onNetwork(model, networkId, name.slice(0, -suffix.length));
    if (found) return found;
  }
  return undefined;
};

/** A link's alias is its target's name, on the link's network alone. */
const linked = (model: Model, { containerId, networkId }: Endpoint, name: string): string => {
  const container = model.containers.get(containerId);
  const source = container && linkedOn(container, networkId, name);
  return source === undefined ? name : (model.findContainer(source)?.name ?? source).toLowerCase();
};

export const createNames = (model: Model): Names => ({
  dns: (sandboxId) => model.sandboxes.get(sandboxId)?.dns,
  resolve(sandboxId, name) {
    const own = model.endpointsOfSandbox(sandboxId).filter((e) => resolvable(model, e));
    for (const endpoint of own) {
      const found = onNetwork(model, endpoint.networkId, linked(model, endpoint, name));
      if (found) return found;
    }
    return qualified(model, own, name);
  },
  reverse(sandboxId, address) {
    for (const endpoint of model.endpointsOfSandbox(sandboxId)) {
      const network = model.networks.get(endpoint.networkId);
      if (!network || !resolvable(model, endpoint)) continue;
      const found = model.endpointAt(network.id, address);
      // A gateway endpoint goes by no name.
      const container = found && found.dnsNames.length > 0 ? found.containerName : undefined;
      const name = container ?? serviceAt(model, network.id, address);
      if (name !== undefined) return `${name}.${network.name}`;
    }
    return undefined;
  },
  forwards: (sandboxId) =>
    model.endpointsOfSandbox(sandboxId).some((e) => model.networks.get(e.networkId)?.internal === false),
});
