/**
 * How a manager comes to a connection with logs of a node: it has the node told, by whichever manager has the node's session, and waits
 * until the node has opened one. Invariants: a connection is taken only from the node that was asked for it, once; each wait has an end.
 */
import type { Duplex } from 'node:stream';
import { setTimeout as pause } from 'node:timers/promises';
import { messageOf, unavailable } from '../../errors.js';
import type { Logger } from '../../log.js';
import type { NodeIdentity } from '../ca/contract.js';
import type { ClusterState } from '../control/state.js';
import { newId } from '../ids.js';
import type { Mirror } from '../mirror/index.js';
import { rpcError } from '../rpc.js';
import { askOnce, type Credentials } from '../session/connect.js';
import type { FromManager } from '../session/protocol.js';

/** milliseconds: until a node's connection must be there; and between two tries to reach the node, which may be changing its manager */
const COME_MS = 10_000;
const AGAIN_MS = 500;

export interface SummonSettings {
  readonly nodeId: string;
  readonly state: ClusterState;
  readonly members: Mirror['members'];
  /** Nodes that do not answer, as Serf says. */
  readonly failed: ReadonlySet<string>;
  readonly credentials: () => Credentials;
  /** Answers false where the node has no session here. */
  readonly tell: (nodeId: string, message: FromManager) => boolean;
  readonly log: Logger;
}

export interface Summons {
  /** Resolves to what the node writes on; throws unavailable where it does not come in time, or the signal ends the wait. */
  call(nodeId: string, signal: AbortSignal): Promise<Duplex>;
  /** Another manager wants a node of ours to come to it. Throws where it may not, or the node has no session here. */
  pass(from: NodeIdentity, wanted: { readonly node: string; readonly stream: string }): void;
  /** Who takes the connection that a node has opened. Throws where nobody has asked the node for it. */
  taker(nodeId: string, stream: string): (socket: Duplex) => void;
}

interface Awaited {
  readonly nodeId: string;
  readonly take: (socket: Duplex) => void;
}

export const createSummons = (settings: SummonSettings): Summons => {
  const { state, members, failed, tell, log } = settings;
  const awaited = new Map<string, Awaited>();

  const bring = (stream: string, managerId: string): FromManager => {
    const address = members.get(managerId)?.address;
    if (address === undefined) throw rpcError('PermissionDenied', 'who asks is no manager');
    return { type: 'bring', stream, manager: { id: managerId, address } };
  };

  const send = async (nodeId: string, stream: string): Promise<void> => {
    const manager = state.get('session', nodeId)?.manager;
    const address = members.get(manager ?? '')?.address;
    if (manager === undefined || address === undefined) throw unavailable('the node has no session');
    if (manager !== settings.nodeId)
      await askOnce(address, settings.credentials(), { type: 'summon', node: nodeId, stream }, 'done');
    else if (!tell(nodeId, bring(stream, settings.nodeId))) throw unavailable('the node has no session');
  };

  /** Until it was told, or the wait is over. */
  const sendUntil = async (nodeId: string, stream: string, over: AbortSignal): Promise<void> => {
    while (!over.aborted)
      try {
        return await send(nodeId, stream);
      } catch (error) {
        log.debug({ node: nodeId, error: messageOf(error) }, 'a node could not be asked for logs');
        await pause(AGAIN_MS, undefined, { signal: over }).catch(() => {});
      }
  };

  return {
    async call(nodeId, signal) {
      const gone = unavailable(`node ${nodeId} is not available`);
      if (failed.has(nodeId) || state.get('node', nodeId)?.status.state !== 'ready') throw gone;
      const stream = newId();
      const over = new AbortController();
      try {
        return await new Promise<Duplex>((resolve, reject) => {
          const late = setTimeout(() => over.abort(), COME_MS);
          const stop = (): void => over.abort();
          signal.addEventListener('abort', stop, { once: true });
          over.signal.addEventListener('abort', () => {
            clearTimeout(late);
            signal.removeEventListener('abort', stop);
            reject(gone);
          });
          if (signal.aborted) return stop();
          awaited.set(stream, { nodeId, take: resolve });
          void sendUntil(nodeId, stream, over.signal);
        });
      } finally {
        awaited.delete(stream);
        over.abort();
      }
    },
    pass(from, { node, stream }) {
      // Its certificate may be older than what the cluster says of it.
      if (from.role !== 'manager' || state.get('node', from.nodeId)?.role !== 'manager')
        throw rpcError('PermissionDenied', 'who asks is no manager');
      if (!tell(node, bring(stream, from.nodeId)))
        throw rpcError('Unavailable', `node ${node} has no session with this manager`);
    },
    taker(nodeId, stream) {
      const found = awaited.get(stream);
      if (found?.nodeId !== nodeId) throw rpcError('PermissionDenied', 'nobody has asked for these logs');
      awaited.delete(stream);
      return found.take;
    },
  };
};
