/** What a manager's end of the sessions (server.ts) asks of the manager itself (life/reception.ts). */
import type { Duplex } from 'node:stream';
import type { NodeIdentity } from '../ca/contract.js';
import type { Answer, Asked, FromManager, FromNode, FromStranger } from './protocol.js';

/** A question of this type. */
export type Ask<Type, Union = FromNode | FromStranger> = Extract<Union, { readonly type: Type }>;
type Unnumbered<Type extends FromManager['type']> = Omit<Answer<Type>, 'ask' | 'type'>;

/** What a manager decides. Everything may throw ViaductError: its message is told to who asked. */
export interface Reception {
  authorities(): string;
  /** `from`: the address that it is seen at */
  join(message: Ask<'join'>, from: string): Promise<Unnumbered<'issued'>>;
  renew(peer: NodeIdentity, message: Ask<'renew'>): Promise<Unnumbered<'issued'>>;
  enrol(peer: NodeIdentity, message: Ask<'enrol'>): Promise<Unnumbered<'enrolled'>>;
  leave(peer: NodeIdentity): Promise<void>;
  /** A node of the cluster, as this manager knows. */
  knows(nodeId: string): boolean;
  /** Is it one all the same? Asks the store itself: what we do not know yet is no reason to send a node away. Throws where it is silent. */
  looksUp(nodeId: string): Promise<boolean>;
  /** Of a node with a session: it is here, and what it says of itself. Resolves when others can know. */
  here(peer: NodeIdentity, message: Ask<'hello' | 'describe'>, from: string): Promise<Unnumbered<'welcome'>>;
  /** Of a node with a session. Answers with a message but for its number. */
  asked(nodeId: string, message: Asked): Promise<object>;
  /** Of a manager: a node that has its session here is to bring it logs. */
  summon(peer: NodeIdentity, message: Ask<'summon'>): void;
  /** Who takes a connection that a node has opened to bring logs. */
  taker(nodeId: string, stream: string): (socket: Duplex) => void;
  /** What has become of its tasks. */
  report(nodeId: string, message: Ask<'report'>): void;
  /** It has not been heard for so long that it has no session any more. */
  gone(nodeId: string): void;
  /** milliseconds between beats */
  heartbeat(): number;
}
