/** This host's part in a cluster without swarm: it follows what the others write in the store, and writes what is its own. */
import { setTimeout as pause } from 'node:timers/promises';
import type { ClusterConfig } from '../../config/contract.js';
import type { Wire } from '../../drivers/contract.js';
import { type ClusterChange, type ClusterSide, type ClusterStore, NO_CHANGE } from '../../engine/cluster.js';
import { unavailable } from '../../errors.js';
import type { Logger } from '../../log.js';
import { carrierBytes, type Network } from '../../model/network.js';
import type { Vtep } from '../../model/peer.js';
import { applyChange } from '../apply.js';
import type { Etcd } from '../etcd/contract.js';
import { EtcdError, isEtcd } from '../etcd/failure.js';
import { type Followed, follow } from '../mirror/follow.js';
import { type PathCheck, startPathCheck } from '../path/index.js';
import { keys, rootOf } from './keys.js';
import { mend } from './own.js';
import { keepPresence, type Presence } from './presence.js';
import { rooted } from './rooted.js';
import { Seen } from './seen.js';
import { createStore } from './store.js';
import { type Place, writeNode } from './values.js';

export interface KeyValueCluster {
  readonly store: ClusterStore;
  /** From now on what others write becomes this host's records. */
  start(side: ClusterSide): void;
  close(): Promise<void>;
}

/** How long the first commands of a daemon wait for a store that may be starting as well. */
const FIRST_WORD_MS = 10_000;
const SOON_MS = 50;
const RETRY_MS = 5_000;
/** And now and then without a reason, so that nothing stays wrong for long. */
const AGAIN_MS = 30_000;

const inWords = (store: string, error: EtcdError): Error =>
  isEtcd(error, 'no-space')
    ? unavailable(
        `the cluster’s store ${store} is full: give etcd more room (quota-backend-bytes), or compact it`,
        error,
      )
    : unavailable(
        `the cluster’s store ${store} does not answer (${error.message}): nothing can be changed on networks that span hosts; what runs goes on`,
        error,
      );

const isTooWide = ({ overlay }: Network, wire: number, family: Wire['family']): boolean =>
  overlay !== undefined && wire > 0 && overlay.mtu > wire - carrierBytes(family, overlay);

/** What a cluster stands on. */
export interface Ground {
  readonly etcd: Etcd;
  /** this host */
  readonly self: Omit<Vtep, 'own'>;
  readonly wire: () => Wire;
  readonly log: Logger;
}

export class KeyValue implements KeyValueCluster {
  readonly store: ClusterStore;
  private readonly log: Logger;
  readonly #wire: () => Wire;
  readonly #ended = new AbortController();
  readonly #self: Vtep;
  readonly #place: Place;
  readonly #seen: Seen;
  readonly #root: string;
  readonly #etcd: Pick<Etcd, 'range' | 'txn' | 'put'>;
  readonly #whole: Etcd;
  #followed: Followed | undefined;
  #presence: Presence | undefined;
  #path: PathCheck | undefined;
  #side: ClusterSide | undefined;
  #stopListening = (): void => {};
  #firstWord: Promise<unknown> | undefined;
  #mending: { readonly timer: NodeJS.Timeout; readonly at: number } | undefined;
  #busy = false;
  /** Something has happened since the mending that is under way began. */
  #again = false;

  constructor(
    private readonly config: Pick<ClusterConfig, 'store' | 'path' | 'heartbeat' | 'ttl'>,
    { etcd, self, wire, log }: Ground,
  ) {
    this.log = log;
    this.#wire = wire;
    this.#self = { ...self, own: true };
    const { address, tunnel } = self;
    this.#place = tunnel ? { address, tunnel } : { address };
    this.#seen = new Seen(this.#self);
    this.#root = rootOf(config.path);
    this.#whole = etcd;
    this.#etcd = rooted(etcd, this.#root);
    this.store = createStore({
      etcd: this.#etcd,
      wire: () => ({ ...wire(), mtu: this.#seen.smallestWire(wire().mtu) }),
      warnings: () => this.#warnings(),
      node: self.id,
      place: this.#place,
      asking: (work) => this.#ask(work),
    });
  }

  start(side: ClusterSide): void {
    this.#side = side;
    const former = side.vteps().filter(({ own, id }) => own && id !== this.#self.id);
    const vteps = new Map<string, Vtep | null>(former.map(({ id }) => [id, null]));
    this.#apply({ ...NO_CHANGE, vteps: vteps.set(this.#self.id, this.#self) });
    this.#followed = follow({
      etcd: this.#whole,
      prefix: this.#root,
      signal: this.#ended.signal,
      changed: (changes) => this.#apply(this.#seen.take(changes)),
      heard: (silent) => this.#heard(silent),
    });
    void this.#followed.ready.then(() => {
      if (this.#ended.signal.aborted) return;
      this.#apply(this.#seen.whole(side));
      this.#mendSoon();
    });
    this.#presence = keepPresence({
      etcd: this.#whole,
      key: this.#root + keys.node(this.#self.id),
      value: writeNode({ name: this.#self.name, ...this.#place, mtu: this.#wire().mtu }),
      heartbeat: this.config.heartbeat,
      ttl: this.config.ttl,
    });
    this.#stopListening = side.onChange(() => this.#mendSoon());
    this.#path = startPathCheck({ side, log: this.log });
  }

  async close(): Promise<void> {
    this.#ended.abort();
    clearTimeout(this.#mending?.timer);
    this.#stopListening();
    await Promise.all([this.#presence?.close(), this.#path?.close()]);
  }

  #warnings(): readonly string[] {
    const since = this.#followed?.silentSince;
    const { mtu, family } = this.#wire();
    const narrow = (this.#side?.networks() ?? []).filter((network) => isTooWide(network, mtu, family));
    return [
      ...(since === undefined
        ? []
        : [
            `the cluster’s store ${this.config.store} has not answered since ${new Date(since).toISOString()}: nothing can be changed on networks that span hosts`,
          ]),
      ...(this.#path?.warnings() ?? []),
      ...narrow.map(
        ({ name, overlay }) =>
          `containers of network ${name} send up to ${overlay?.mtu} bytes, more than this host’s wire of ${mtu} carries beside VXLAN: long packets are lost; raise its MTU, or make the network anew with a smaller com.docker.network.driver.mtu`,
      ),
    ];
  }

  async #ask<T>(work: () => Promise<T>): Promise<T> {
    const { signal } = this.#ended;
    if (this.#followed) {
      this.#firstWord ??= Promise.race([
        this.#followed.ready,
        pause(FIRST_WORD_MS, undefined, { signal, ref: false }).catch(() => {}),
      ]);
      await this.#firstWord;
    }
    try {
      return await work();
    } catch (error) {
      throw error instanceof EtcdError ? inWords(this.config.store, error) : error;
    }
  }

  #heard(silent: Error | undefined): void {
    const { store } = this.config;
    if (silent) this.log.warn({ store, error: silent.message }, 'the cluster’s store does not answer');
    else {
      this.log.info({ store }, 'the cluster’s store answers again');
      this.#mendSoon();
    }
  }

  #apply(change: ClusterChange): void {
    if (this.#side && !applyChange(this.#side, change, this.log)) this.#mendSoon(RETRY_MS);
  }

  /** Unless it is done sooner anyway. */
  #mendSoon(after = SOON_MS): void {
    const at = performance.now() + after;
    if (this.#ended.signal.aborted || (this.#mending && this.#mending.at <= at)) return;
    clearTimeout(this.#mending?.timer);
    const timer = setTimeout(() => {
      this.#mending = undefined;
      void this.#mend();
    }, after).unref();
    this.#mending = { timer, at };
  }

  async #mend(): Promise<void> {
    const side = this.#side;
    this.#again = this.#busy;
    if (!side || this.#busy) return;
    this.#busy = true;
    try {
      side.settle();
      this.#apply(this.#seen.whole(side));
      await mend(
        {
          etcd: this.#etcd,
          node: this.#self.id,
          place: this.#place,
          asking: (work) => this.#ask(work),
          store: this.store,
          entries: () => this.#followed?.entries ?? new Map(),
          log: this.log,
        },
        side,
      );
    } catch (error) {
      if (!this.#ended.signal.aborted)
        this.log.warn(
          { error: String(error) },
          'what the cluster’s store says of this host is not mended yet',
        );
      this.#mendSoon(RETRY_MS);
    } finally {
      this.#busy = false;
      this.#mendSoon(this.#again ? SOON_MS : AGAIN_MS);
    }
  }
}
