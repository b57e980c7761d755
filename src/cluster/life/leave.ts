/** A node leaves its cluster: it says so, and a manager gives its place among the others back while more than half of them live. */
import { setTimeout as pause } from 'node:timers/promises';
import { unavailable } from '../../errors.js';
import type { Logger } from '../../log.js';
import type { Node } from '../../model/swarm/node.js';
import { MEMBER } from '../mirror/keys.js';
import { put, remove } from '../mirror/write.js';
import type { NodeSession } from '../session/client.js';
import { leavingManager, WORDS } from '../words.js';
import type { RunningManager } from './manager.js';

/**
 * milliseconds: leaving ends, whoever does not answer. etcd lets nobody go in the first 5 s after a member came, and who went
 * without it would take a cluster of two its quorum; an election takes up to 6 s.
 */
const GOODBYE_MS = 12_000;

/** Throws unavailable, in moby's words, where it is a manager and not forced. */
export const refuseToLeave = async (of: {
  readonly manager: RunningManager | undefined;
  readonly isManager: boolean;
  readonly force: boolean;
}): Promise<void> => {
  if (of.force || !of.isManager) return;
  throw unavailable(leavingManager(of.manager && (await of.manager.reach())));
};

export interface GoodbyeSettings {
  /** where it is one */
  readonly manager: RunningManager | undefined;
  readonly nodeId: string;
  readonly session: NodeSession;
  readonly now: () => number;
  readonly log: Logger;
}

/** In the order in which others learn it: the node leads no more; it is down; it is no manager. */
const resign = async (manager: RunningManager, { nodeId, now, log }: GoodbyeSettings): Promise<void> => {
  const { etcd, mirror } = manager;
  if (mirror.members.size < 2) return;
  await manager
    .retire()
    .catch((error: unknown) => log.warn({ error: String(error) }, 'leadership could not be handed over'));
  const node = mirror.state.get('node', nodeId);
  const member = mirror.members.get(nodeId);
  const left: Node | undefined = node && {
    ...node,
    updatedAt: now(),
    status: { state: 'down', message: WORDS.left },
  };
  await etcd.txn({
    success: [
      ...(left ? [put(mirror.prefix, 'node', left)] : []),
      remove(mirror.prefix, 'session', nodeId),
      { do: 'delete', key: `${mirror.prefix}${MEMBER}${nodeId}` },
    ],
  });
  if (member) await etcd.removeMember(member.member);
};

const goodbye = async (settings: GoodbyeSettings): Promise<void> => {
  if (settings.manager) await resign(settings.manager, settings);
  else await settings.session.current()?.ask({ type: 'leave' }, 'done');
};

/** Ends within seconds, whoever answers. */
export const sayGoodbye = (settings: GoodbyeSettings): Promise<void> =>
  Promise.race([goodbye(settings), pause(GOODBYE_MS, undefined, { ref: false })]).catch((error: unknown) =>
    settings.log.warn({ error: String(error) }, 'the cluster could not be told that this node leaves'),
  );
