/** What a node says of its part in a swarm, word for word as moby does: clients and scripts look for these sentences. */
export const WORDS = {
  notInSwarm: 'This node is not part of a swarm',
  already:
    'This node is already part of a swarm. Use "docker swarm leave" to leave this swarm and join another one.',
  timeout:
    'Timeout was reached before node joined. The attempt to join the swarm will continue in the background. Use the "docker info" command to see the current swarm status of your node.',
  locked:
    'Swarm is encrypted and needs to be unlocked before it can be used. Please use "docker swarm unlock" to unlock it.',
  lockedLeave:
    'Swarm is encrypted and locked. Please unlock it first or use `--force` to ignore this message.',
  expired: 'Swarm certificates have expired. To replace them, leave the swarm and join again.',
  noManager:
    'This node is not a swarm manager. Use "docker swarm init" or "docker swarm join" to connect this node to swarm and try again.',
  preparing:
    'This node is not a swarm manager. Manager is being prepared or has trouble connecting to the cluster.',
  worker:
    "This node is not a swarm manager. Worker nodes can't be used to view or modify cluster state. Please run this command on a manager node or promote the current node to a manager.",
  left: 'node has left the swarm',
  notLocked: 'swarm is not locked',
  wrongKey: 'swarm could not be unlocked: invalid key provided',
} as const;

/** `why`: empty where nothing is known. */
export const preparing = (why: string): string =>
  why === '' ? WORDS.preparing : `${WORDS.preparing} (${why})`;

const RESTORE =
  'The only way to restore a swarm that has lost consensus is to reinitialize it with `--force-new-cluster`. Use `--force` to suppress this message.';

/** Why a manager does not leave without force. `managers`: how many can be reached, and how many there are. */
export const leavingManager = (managers: { reachable: number; all: number } | undefined): string => {
  const begin = 'You are attempting to leave the swarm on a node that is participating as a manager. ';
  if (!managers) return `${begin}Doing so may lose the consensus of your cluster. ${RESTORE}`;
  const { reachable, all } = managers;
  if (all === 1)
    return `${begin}Removing the last manager erases all current state of the swarm. Use \`--force\` to ignore this message. `;
  const quorumGone = reachable - 2 <= all - reachable;
  return quorumGone
    ? `${begin}Removing this node leaves ${reachable - 1} managers out of ${all}. Without a Raft quorum your swarm will be inaccessible. ${RESTORE}`
    : `${begin}${RESTORE}`;
};

/** Why nothing can be changed: which managers answer, and what is to be done. */
export const noQuorum = (managers: { reachable: number; all: number }): string =>
  `The swarm does not have a leader. It's possible that too few managers are online. Make sure more than half of the managers are online. (${managers.reachable} of ${managers.all} managers can be reached, ${Math.floor(managers.all / 2) + 1} are needed. Start the others again; if they are lost for good, type on this one: docker swarm init --force-new-cluster)`;
