/**
 * Joining and leaving networks: decided, allocated, committed. What must be awaited of plugins, or of a cluster's store, is awaited here, one attachment
 * at a time a network; where none has a part in it all is done when the call returns.
 */
import { PortError } from '../../errors.js';
import type { Container, EndpointSettings } from '../../model/container.js';
import type { Network } from '../../model/network.js';
import { carryOut } from '../carry-out.js';
import type { Fresh } from '../decision.js';
import { fresh } from '../fresh.js';
import type { Outside, Writing } from '../parts.js';
import { asking } from '../plugins/asking.js';
import { announceGateways } from '../plugins/external.js';
import { asksOthers } from '../plugins/owed-calls.js';
import type { View } from '../view.js';
import { askCluster } from './ask-cluster.js';
import { askPlugins } from './ask-plugins.js';
import {
  type Attachment,
  asksForEndpoints,
  connectedTo,
  decideAttachment,
  decideStart,
  designAttachment,
} from './decide-attach.js';
import { decideDetachment, decideEnd } from './decide-detach.js';
import { endpointIdFor } from './design.js';
import { listedNetworks, settingsAt } from './standing.js';

type Attaching = View & Writing & Pick<Outside, 'plugins' | 'cluster' | 'networkLocks'>;

/** A container as it lists a network, and what is asked of that; looked at anew after every wait. */
type Listing = () => readonly [container: Container, network: Network, settings: EndpointSettings];

const attachAsking = async (parts: Attaching, made: Fresh, listing: Listing): Promise<Attachment> => {
  const design = designAttachment(parts, made, ...listing());
  if (!design) return carryOut(parts, decideAttachment(parts, made, listing()[0], design));
  const { id, network } = design;
  await parts.debts.quiet(network.id);
  return asking(parts, { id, networkId: network.id, of: 'endpoint' }, async (ask) => {
    const allocation = network.overlay
      ? await askCluster(parts, design, ask)
      : await askPlugins(parts, design, ask.owe);
    return carryOut(parts, decideAttachment(parts, made, listing()[0], design, allocation));
  });
};

const attach = (parts: Attaching, made: Fresh, listing: Listing): Attachment | Promise<Attachment> => {
  const [container, network, settings] = listing();
  if (asksOthers(parts, network, settings))
    return parts.networkLocks.run(network.id, () => attachAsking(parts, made, listing));
  const design = designAttachment(parts, made, container, network, settings);
  return carryOut(parts, decideAttachment(parts, made, container, design));
};

/** Plugins whose endpoint has become the way out, or is it no longer, are told. */
const announce = async (parts: Attaching, sandboxId: string | null): Promise<void> => {
  if (sandboxId !== null && parts.model.endpointsOfSandbox(sandboxId).some((e) => e.plugin !== undefined))
    await announceGateways(parts, sandboxId);
};

/** moby's words around a port that could not be had. */
const namingEndpoint = (
  error: unknown,
  made: Fresh,
  { name }: Container,
  networks: () => readonly Network[],
): unknown => {
  if (!(error instanceof PortError)) return error;
  const [first, ...more] = networks();
  const publishing = [first, ...more].find((network) => network?.internal === false) ?? first;
  return new PortError(
    `failed to set up container networking: driver failed programming external connectivity on endpoint ${name} (${publishing ? endpointIdFor(made, publishing) : ''}): ${error.message}`,
    error,
  );
};

const startOneByOne = async (parts: Attaching, made: Fresh, starting: Container): Promise<Container> => {
  const { id, sandboxId } = carryOut(parts, decideStart(parts, made, starting)).container;
  for (const { index, network } of listedNetworks(parts, starting))
    try {
      await attach(parts, made, () => {
        const container = parts.model.getContainer(id);
        return [container, parts.model.getNetwork(network.id), settingsAt(container, index)];
      });
    } catch (error) {
      throw namingEndpoint(error, made, starting, () => [network]);
    }
  await announce(parts, sandboxId);
  return parts.model.getContainer(id);
};

/**
 * Makes the sandbox and all endpoints of a starting container. When it rejects, the container's record says what of it
 * is there, for `end` to take away. `meanwhile` is called, where all is settled at once, as soon as the sandbox's
 * namespace is there; where plugins are asked first it is not.
 */
export const start = (
  parts: Attaching,
  container: Container,
  meanwhile: (started: Container) => void,
): Container | Promise<Container> => {
  const made = fresh();
  if (asksForEndpoints(parts, container)) return startOneByOne(parts, made, container);
  try {
    const decision = decideStart(parts, made, container);
    return carryOut(parts, decision, () => meanwhile(decision.container)).container;
  } catch (error) {
    const networks = () => listedNetworks(parts, container).map(({ network }) => network);
    throw namingEndpoint(error, made, container, networks);
  }
};

/** Also of one that does not run: then its networks are noted for its start. */
export const connect = async (
  parts: Attaching,
  { id: networkId }: Network,
  id: string,
  settings: EndpointSettings,
): Promise<void> => {
  const { member } = await attach(parts, fresh(), () => {
    const network = parts.model.getNetwork(networkId);
    return [connectedTo(parts, network, parts.model.getContainer(id), settings), network, settings];
  });
  if (!member) return;
  const container = parts.model.getContainer(id);
  try {
    await announce(parts, container.sandboxId);
  } catch (error) {
    carryOut(parts, decideDetachment(parts, fresh(), member.network, parts.model.getContainer(id)));
    throw error;
  }
};

/** Another network of a plugin's may become the way out. */
export const disconnect = async (parts: Attaching, network: Network, container: Container): Promise<void> => {
  carryOut(parts, decideDetachment(parts, fresh(), network, container));
  await announce(parts, container.sandboxId).catch((error: unknown) => {
    parts.log.error({ container: container.name, error: String(error) }, 'the new way out was not announced');
  });
};

/** Takes the sandbox down together with the container's new record (null: none). */
export const end = (parts: Attaching, id: string, change: (now: Container) => Container | null): void => {
  const now = parts.model.getContainer(id);
  carryOut(parts, decideEnd(parts, now, change(now)));
};
