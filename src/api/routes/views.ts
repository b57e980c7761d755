/** What presentation needs of a container, gathered from the engine. */
import type { Engine } from '../../engine/contract.js';
import type { Container } from '../../model/container.js';
import type { Endpoint } from '../../model/endpoint.js';
import type { Network } from '../../model/network.js';
import type { ContainerView, InspectView } from '../present/container.js';
import type { Attachment } from '../present/endpoint.js';

/** Networks without ports of their own. */
const PORTLESS = ['host', 'null'];

export const viewContainer = (engine: Engine, container: Container, sizes?: Sizes): ContainerView => {
  const endpoints = engine.containers.endpoints(container);
  const attachments = container.networks.map((entry): Attachment => {
    const network = engine.networks.find(entry.networkId) ?? engine.networks.find(entry.name);
    const endpoint = endpoints.find((each) => each.networkId === network?.id);
    return {
      ...entry,
      ...(network === undefined ? {} : { network }),
      ...(endpoint === undefined ? {} : { endpoint }),
      ...(container.state.status === 'created' ? { mac: entry.settings.mac } : {}),
    };
  });
  const sandbox = engine.containers.sandbox(container);
  return {
    container,
    attachments,
    endpoints: endpoints.filter((endpoint) => hasPorts(attachments, endpoint)),
    ...(sandbox === undefined ? {} : { sandbox }),
    ...(sizes ? { sizes } : {}),
  };
};

const hasPorts = (attachments: readonly Attachment[], endpoint: Endpoint): boolean => {
  const network: Network | undefined = attachments.find((each) => each.endpoint === endpoint)?.network;
  return network === undefined || !PORTLESS.includes(network.driver);
};

type Sizes = NonNullable<ContainerView['sizes']>;

/** Every file that the container has written is looked at. */
export const sizesOf = async (engine: Engine, container: Container): Promise<Sizes> => {
  const rw = await engine.images.writtenBytes(container.id);
  return { rw, rootFs: rw + (engine.images.find(container.imageId)?.size ?? 0) };
};

export const viewInspect = (engine: Engine, container: Container, sizes?: Sizes): InspectView => ({
  ...viewContainer(engine, container, sizes),
  paths: engine.containers.paths(container),
  execIds: engine.execs.ofContainer(container.id),
  runtime: engine.runtime.name,
  nameOf: (reference) => engine.containers.find(reference)?.name ?? reference,
});
