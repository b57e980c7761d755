/**
 * Joining and leaving networks in which plugins have a part: what must be awaited of them is awaited here, around the
 * synchronous commits of `membership.ts` and `connection.ts`. One attachment at a time a network; containers on other
 * networks go on.
 */
import type { Container, EndpointSettings } from '../../model/container.js';
import type { Endpoint } from '../../model/endpoint.js';
import type { Network } from '../../model/network.js';
import type { Parts } from '../parts.js';
import { announceGateways } from '../plugins/external.js';
import { usesPlugins } from '../plugins/part.js';
import { attachable, attachingAt, sharesWith } from './attaching.js';
import { connect, connecting, disconnect } from './connection.js';
import type { Attaching } from './endpoint.js';
import { join, joinNext, joinNothing } from './membership.js';
import { attachWithPlugins } from './plugin-endpoint.js';

const hasRemotes = (parts: Parts, sandboxId: string | null): sandboxId is string =>
  sandboxId !== null && parts.model.endpointsOfSandbox(sandboxId).some((e) => e.remote !== undefined);

/** Makes the endpoint and commits it; what plugins hold for one that could not be committed is taken back. */
const attach = async <T>(parts: Parts, attaching: Attaching, commit: (made: Endpoint) => T): Promise<T> => {
  const made = await attachWithPlugins(parts, attaching);
  try {
    return commit(made);
  } catch (error) {
    await parts.debts.settle(made.id);
    throw error;
  }
};

const joinOneByOne = async (parts: Parts, container: Container): Promise<Container> => {
  const { id } = container;
  const current = (): Container => parts.model.getContainer(id);
  const { sandboxId } = joinNothing(parts, container);
  for (const { index } of attachable(parts, container)) {
    const { network } = attachingAt(parts, current(), index);
    if (usesPlugins(parts, network))
      await parts.networkLocks.run(network.id, () => {
        const attaching = attachingAt(parts, current(), index);
        return attach(parts, attaching, (made) => joinNext(parts, attaching, made));
      });
    else joinNext(parts, attachingAt(parts, current(), index));
  }
  if (hasRemotes(parts, sandboxId)) await announceGateways(parts, sandboxId);
  return current();
};

/**
 * Makes the sandbox and all endpoints of a starting container. When it rejects, the container's record says what of it
 * is there, for `leave` to take away. `meanwhile` is called, where all is settled at once, as soon as the sandbox's
 * namespace is there; where plugins are asked first it is not.
 */
export const joinAll = (
  parts: Parts,
  container: Container,
  meanwhile: (joined: Container) => void,
): Container | Promise<Container> =>
  sharesWith(container) === undefined &&
  attachable(parts, container).some(({ network }) => usesPlugins(parts, network))
    ? joinOneByOne(parts, container)
    : join(parts, container, meanwhile);

/** `connection.connect` for any network; `container`: its id. */
export const connectAny = async (
  parts: Parts,
  reference: Network,
  container: string,
  settings: EndpointSettings,
): Promise<Endpoint | undefined> => {
  const current = (): Container => parts.model.getContainer(container);
  const made = usesPlugins(parts, reference)
    ? await parts.networkLocks.run(reference.id, async () => {
        const network = parts.model.getNetwork(reference.id);
        const attaching = connecting(parts, network, current(), settings);
        return attaching
          ? attach(parts, attaching, (endpoint) => connect(parts, network, current(), settings, endpoint))
          : connect(parts, network, current(), settings);
      })
    : connect(parts, reference, current(), settings);
  const { sandboxId } = current();
  if (!made || !hasRemotes(parts, sandboxId)) return made;
  try {
    await announceGateways(parts, sandboxId);
  } catch (error) {
    disconnect(parts, reference, current());
    throw error;
  }
  return made;
};

/** `connection.disconnect`; another network of a plugin's may become the way out. */
export const disconnectAny = async (
  parts: Parts,
  network: Network,
  container: Container,
): Promise<Endpoint | undefined> => {
  const gone = disconnect(parts, network, container);
  if (!hasRemotes(parts, container.sandboxId)) return gone;
  await announceGateways(parts, container.sandboxId).catch((error: unknown) => {
    parts.log.error({ container: container.name, error: String(error) }, 'the new way out was not announced');
  });
  return gone;
};
