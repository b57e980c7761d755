/**
 * Who is a member of etcd's, and who should be one: a manager that joins gets its vote or loses its place, and the leader ends what
 * another manager began and died over. etcd takes one learner at a time, so one that nobody minds would keep everybody else out.
 */
import { setTimeout as pause } from 'node:timers/promises';
import type { Logger } from '../../log.js';
import type { Node } from '../../model/swarm/node.js';
import type { EtcdAdmin, Member, MemberId } from '../etcd/contract.js';
import { isEtcd } from '../etcd/failure.js';
import type { Mirror } from '../mirror/index.js';
import { MEMBER } from '../mirror/keys.js';
import { writeMember } from '../mirror/member.js';
import { WORDS } from '../words.js';
import { mayGo } from './leading.js';
import type { Register } from './register.js';

const AGAIN_MS = 500;

export interface MembershipSettings {
  readonly etcd: Pick<EtcdAdmin, 'members' | 'addLearner' | 'promote' | 'removeMember'>;
  readonly mirror: Pick<Mirror, 'members' | 'living' | 'state'>;
  readonly register: Pick<Register, 'keep'>;
  readonly log: Logger;
  /** Aborted: this manager is none any more. */
  readonly signal: AbortSignal;
}

export interface Membership {
  /**
   * A manager joins, with the address (`host:port`) of its door: resolves to all members, itself among them. Its vote follows, or its place
   * goes. Throws EtcdError.
   */
  welcome(
    nodeId: string,
    address: string,
  ): Promise<readonly { readonly name: string; readonly address: string }[]>;
  /** By the leader, now and then. What takes long goes on behind it. Throws EtcdError. */
  tend(): Promise<void>;
}

const isGone = (node: Node | undefined): boolean =>
  node?.role !== 'manager' || (node.status.state === 'down' && node.status.message === WORDS.left);

/** What is to be done for a member whose node is `node`; `isKnown`: it is written down which member the node is. Pure. */
export const dueFor = (
  { name, learner }: Pick<Member, 'name' | 'learner'>,
  { node, isKnown }: { readonly node: Node | undefined; readonly isKnown: boolean },
): 'vote' | 'record' | 'remove' | undefined => {
  if (learner && name === '') return 'vote'; // whose it is will be said when it starts
  if (!learner && isKnown) return undefined; // who is demoted is taken out by that
  if (isGone(node)) return 'remove';
  return learner ? 'vote' : 'record';
};

const addressOf = ({ peerUrls }: Member): string => (peerUrls[0] ?? '').replace(/^https:\/\//, '');

export const createMembership = (settings: MembershipSettings): Membership => {
  const { etcd, mirror, register, log, signal } = settings;
  /** those whose vote this manager is about to give */
  const minded = new Set<MemberId>();
  /** those that the last look found to be nobody's: this manager may only not have read of their nodes then */
  let doubted: ReadonlySet<MemberId> = new Set();

  /** Without a leader, or an answer, nothing is decided: it is asked again, for as long as this manager is one. */
  const insist = async <T>(work: () => Promise<T>): Promise<T> => {
    for (;;) {
      try {
        return await work();
      } catch (error) {
        if (!isEtcd(error, 'no-leader') && !isEtcd(error, 'unavailable')) throw error;
      }
      await pause(AGAIN_MS, undefined, { signal });
    }
  };

  const record = (nodeId: string, member: MemberId, address: string): Promise<void> =>
    register.keep(`${MEMBER}${nodeId}`, writeMember({ address, member }));

  const takeBack = async (member: MemberId): Promise<void> => {
    const still = (await etcd.members()).find(({ id }) => id === member);
    if (still?.learner) await etcd.removeMember(member);
  };

  /** Once it follows it gets its vote; where it never comes, its place goes, or nobody else could join. */
  const giveVote = async (nodeId: string, member: MemberId, address: string): Promise<void> => {
    if (minded.has(member)) return;
    minded.add(member);
    try {
      await insist(() => etcd.promote(member));
      if (nodeId !== '') await record(nodeId, member, address);
    } catch (error) {
      if (signal.aborted) return;
      log.warn({ node: nodeId, error: String(error) }, 'a manager that joins did not come to follow');
      await insist(() => takeBack(member)).catch((cause: unknown) => {
        if (isEtcd(cause, 'no-member') || signal.aborted) return; // an answer that was lost
        log.warn(
          { node: nodeId, error: String(cause) },
          'its place among the managers could not be taken back',
        );
      });
    } finally {
      minded.delete(member);
    }
  };

  /** That which it has, where it has not begun yet; else a new one. */
  const placeFor = async (nodeId: string, peerUrl: string): Promise<Member> => {
    const members = await etcd.members();
    const waiting = members.find((each) => each.name === '' && each.peerUrls.includes(peerUrl));
    if (waiting) return waiting;
    // It asks because its disk has nothing of etcd's: what it was is lost.
    for (const former of members)
      if (former.name === nodeId || former.peerUrls.includes(peerUrl)) await etcd.removeMember(former.id);
    return etcd.addLearner(peerUrl);
  };

  const due = (member: Member): ReturnType<typeof dueFor> =>
    minded.has(member.id)
      ? undefined
      : dueFor(member, {
          node: mirror.state.get('node', member.name),
          isKnown: mirror.members.get(member.name)?.member === member.id,
        });

  const takeOut = async ({ id, name, learner }: Member): Promise<void> => {
    if (!learner && !mayGo(mirror, name)) return;
    await etcd.removeMember(id).catch((error: unknown) => {
      if (!isEtcd(error, 'no-member')) throw error; // it went by itself
    });
    log.info({ node: name }, 'a member of etcd’s was taken out, as its node is no manager');
  };

  return {
    async welcome(nodeId, address) {
      const place = await placeFor(nodeId, `https://${address}`);
      const members = (await etcd.members()).map((member) => ({
        name: member.id === place.id ? nodeId : member.name,
        address: addressOf(member),
      }));
      void giveVote(nodeId, place.id, address);
      return members;
    },
    async tend() {
      const members = await etcd.members();
      const doubtful = members.filter((member) => due(member) === 'remove');
      for (const member of members) {
        if (due(member) === 'vote') void giveVote(member.name, member.id, addressOf(member));
        if (due(member) === 'record') void record(member.name, member.id, addressOf(member));
      }
      const certain = doubtful.filter(({ id }) => doubted.has(id));
      doubted = new Set(doubtful.map(({ id }) => id));
      for (const member of certain) await takeOut(member);
    },
  };
};
