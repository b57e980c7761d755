/**
 * Which nodes have a session with this manager, and until when: a node that is not heard for some beats has none any more. Invariant: one
 * session a node, the latest.
 */
import type { NodeIdentity } from '../ca/contract.js';
import type { Assigning } from './assigning.js';
import type { Reception } from './contract.js';
import type { Frames } from './frames.js';
import { MISSED_BEATS } from './protocol.js';

export interface Here {
  readonly channel: Frames;
  readonly peer: NodeIdentity;
}

export class Presence {
  readonly #here = new Map<string, Here>();
  /** Of nodes whose session has ended, or that have not been heard since. */
  readonly #waiting = new Map<string, NodeJS.Timeout>();
  /** Who has said hello last and has not been welcomed yet: it is here, however long it takes until others can know of it. */
  readonly #arriving = new Map<string, Frames>();

  constructor(
    private readonly reception: Pick<Reception, 'gone' | 'heartbeat'>,
    private readonly assigning: Pick<Assigning, 'begin' | 'end'>,
  ) {}

  get nodes(): ReadonlyMap<string, Here> {
    return this.#here;
  }

  isHere(nodeId: string, channel: Frames): boolean {
    return this.#here.get(nodeId)?.channel === channel;
  }

  /** While `welcome` goes on the node is not given up. */
  async arrive(nodeId: string, channel: Frames, welcome: () => Promise<void>): Promise<void> {
    this.#arriving.set(nodeId, channel);
    try {
      await welcome();
    } finally {
      if (this.#arriving.get(nodeId) === channel) this.#arriving.delete(nodeId);
    }
  }

  /** Its session; the former one ends. */
  begin(channel: Frames, peer: NodeIdentity, welcome: object): void {
    const { nodeId } = peer;
    const former = this.#here.get(nodeId)?.channel;
    this.#here.set(nodeId, { channel, peer });
    if (former !== channel) former?.end();
    this.giveUpLater(nodeId);
    channel.send(welcome);
    this.assigning.begin(nodeId, channel);
  }

  /** `beats`: after so many that were not heard. */
  giveUpLater(nodeId: string, beats = MISSED_BEATS): void {
    clearTimeout(this.#waiting.get(nodeId));
    const timer = setTimeout(() => {
      this.#waiting.delete(nodeId);
      if (this.#arriving.has(nodeId)) return this.giveUpLater(nodeId, beats);
      this.#end(nodeId)?.destroy();
      this.reception.gone(nodeId);
    }, beats * this.reception.heartbeat());
    this.#waiting.set(nodeId, timer);
  }

  /** Its connection broke. It comes back at once where its daemon was started anew, or has found another manager. */
  broke(nodeId: string, channel: Frames): void {
    if (this.isHere(nodeId, channel)) this.giveUpLater(nodeId, 1);
    this.assigning.end(nodeId, channel);
  }

  forget(nodeId: string): void {
    clearTimeout(this.#waiting.get(nodeId));
    this.#waiting.delete(nodeId);
    this.#end(nodeId)?.end();
  }

  close(): void {
    for (const timer of this.#waiting.values()) clearTimeout(timer);
    this.#waiting.clear();
    this.#here.clear();
  }

  #end(nodeId: string): Frames | undefined {
    const channel = this.#here.get(nodeId)?.channel;
    this.#here.delete(nodeId);
    if (channel) this.assigning.end(nodeId, channel);
    return channel;
  }
}
