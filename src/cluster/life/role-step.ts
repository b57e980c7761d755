/** What a node does next so that it is what the cluster wants it to be. Pure. */
import type { Role } from '../session/protocol.js';

export interface RoleFacts {
  /** what the cluster says, what the certificate says, what this node is */
  readonly wanted: Role;
  readonly certified: Role | undefined;
  readonly role: Role;
  /** The certificate's time has come. */
  readonly isDue: boolean;
  /** There is a session with a manager. */
  readonly isConnected: boolean;
  /** Managers count this node among them. */
  readonly isCounted: boolean;
}

/** `wait`: somebody else's step comes first; `rest`: nothing is to be done, or nothing can be until a session comes. */
export type RoleStep = 'renew' | 'become-manager' | 'become-worker' | 'wait' | 'rest';

export const nextRoleStep = (facts: RoleFacts): RoleStep => {
  const { wanted, certified, isConnected } = facts;
  if (isConnected && (certified !== wanted || facts.isDue)) return 'renew';
  if (certified !== wanted || wanted === facts.role) return 'rest';
  if (wanted === 'manager') return isConnected ? 'become-manager' : 'rest';
  // To stop etcd before the leader has taken it out could cost the others their quorum.
  return facts.isCounted ? 'wait' : 'become-worker';
};
