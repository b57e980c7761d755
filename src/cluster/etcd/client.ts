/**
 * The client of etcd, over its JSON gateway. With several endpoints one is used until it fails, then the next. Invariant: what
 * may have taken effect is never sent twice.
 */
import { constants } from 'node:fs';
import { open, rename, rm } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import type * as z from 'zod';
import type {
  ClientTls,
  Endpoint,
  Etcd,
  EtcdAdmin,
  EtcdStatus,
  Member,
  MemberId,
  WatchBatch,
  WatchRequest,
} from './contract.js';
import { EtcdError, isEtcd, refusal, unavailable } from './failure.js';
import { type Call, createTransport, LIMITS, type Limits, type Transport } from './transport.js';
import { batches } from './watch.js';
import * as wire from './wire.js';

export interface ClientSettings {
  /** in order of preference */
  readonly endpoints: readonly [Endpoint, ...Endpoint[]];
  readonly tls?: ClientTls;
  readonly limits?: Partial<Limits>;
  /** milliseconds without a word on a watch after which its endpoint is asked whether it lives */
  readonly watchQuietMs?: number;
}

export interface EtcdClient extends Etcd, EtcdAdmin {
  /** Ends idle connections; watches end by their signals. */
  close(): void;
}

const WATCH_QUIET_MS = 20_000;
/** A member that moves a database of gigabytes. */
const SLOW_MS = 120_000;
/** Peers count as healthy after 5 s of connection, and a learner catches up in seconds. */
const PATIENCE_MS = 60_000;
const PAUSE_MS = 250;

/** Where it is certain that nothing happened, or nothing can have: the next endpoint may be asked. */
const mayAskAnother = (error: unknown, reads: boolean): boolean =>
  error instanceof EtcdError &&
  (error.failure.kind === 'no-leader' ||
    (error.failure.kind === 'unavailable' && (reads || !error.failure.sent)));

const patiently = async <T>(work: () => Promise<T>): Promise<T> => {
  const begun = performance.now();
  for (;;) {
    try {
      return await work();
    } catch (error) {
      if (!isEtcd(error, 'not-ready') || performance.now() - begun > PATIENCE_MS) throw error;
    }
    await sleep(PAUSE_MS);
  }
};

const shape = <S extends z.ZodType>(schema: S, value: unknown, path: string): z.output<S> => {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  throw unavailable(`etcd ${path}: an answer that is not etcd’s`, true, result.error);
};

/** `memberID:9372538179322589801 alarm:NOSPACE`, and others that are no alarms */
const alarmsIn = (errors: readonly string[]): EtcdStatus['alarms'] => [
  ...(errors.some((text) => text.includes('NOSPACE')) ? (['no-space'] as const) : []),
  ...(errors.some((text) => text.includes('CORRUPT')) ? (['corrupt'] as const) : []),
];

export const createEtcdClient = (settings: ClientSettings): EtcdClient => {
  const transports = settings.endpoints.map((endpoint) => createTransport(endpoint, settings.tls));
  const limits: Limits = { ...LIMITS, ...settings.limits };
  let preferred = 0;

  /** Runs `work` with the endpoint that answered last, and with the others where it fails. */
  const anywhere = async <T>(reads: boolean, work: (transport: Transport) => Promise<T>): Promise<T> => {
    const first = preferred;
    for (let tried = 0; ; tried += 1) {
      const index = (first + tried) % transports.length;
      try {
        const result = await work(transports[index] as Transport); // there is at least one
        preferred = index;
        return result;
      } catch (error) {
        if (tried + 1 >= transports.length || !mayAskAnother(error, reads)) throw error;
      }
    }
  };

  const ask = async <S extends z.ZodType>(
    path: string,
    body: object,
    schema: S,
    how: { readonly reads?: boolean; readonly leaderless?: boolean; readonly slow?: boolean } = {},
  ): Promise<z.output<S>> => {
    const { reads = false, leaderless = false, slow = false } = how;
    const call: Call = { path, body, needsLeader: !leaderless };
    const within = slow ? { ...limits, answerMs: SLOW_MS } : limits;
    const answer = await anywhere(reads, (transport) => transport.exchange(call, within));
    return shape(schema, answer, path);
  };

  const status = async (): Promise<EtcdStatus> => {
    const found = await ask('maintenance/status', {}, wire.statusAnswer, { reads: true, leaderless: true });
    const leader = found.leader as MemberId; // checked by `id`
    const lost = found.leader === '0' || found.errors.some((text) => text.includes('no leader'));
    return {
      version: found.version,
      clusterId: found.header.cluster_id,
      memberId: found.header.member_id,
      leader: lost ? undefined : leader,
      learner: found.isLearner,
      revision: found.header.revision,
      raftTerm: found.raftTerm,
      size: found.dbSize,
      inUse: found.dbSizeInUse,
      alarms: alarmsIn(found.errors),
    };
  };

  const members = async (): Promise<readonly Member[]> =>
    (await ask('cluster/member/list', {}, wire.memberList, { reads: true, leaderless: true })).members;

  async function* watch({ from, signal, ...selected }: WatchRequest): AsyncGenerator<WatchBatch> {
    const transport = transports[preferred] as Transport; // there is at least one
    const ended = new AbortController();
    const either = AbortSignal.any([signal, ended.signal]);
    const call: Call = { path: 'watch', body: wire.watchBody(selected, from), needsLeader: true };
    const probe = (): void => {
      const question: Call = { path: 'maintenance/status', body: {}, needsLeader: false };
      transport.exchange(question, limits).then(
        () => void quiet.refresh(),
        () => ended.abort(),
      );
    };
    const quiet = setTimeout(probe, settings.watchQuietMs ?? WATCH_QUIET_MS);
    try {
      for await (const batch of batches(transport.lines(call, limits, either))) {
        quiet.refresh();
        yield batch;
      }
      if (!signal.aborted) throw unavailable('etcd watch: hung up', true);
    } catch (error) {
      // Another endpoint may be better off, next time.
      preferred = (preferred + 1) % transports.length;
      throw error;
    } finally {
      clearTimeout(quiet);
      ended.abort();
    }
  }

  return {
    range: async (request) => {
      const how = { reads: true, leaderless: request.serializable ?? false };
      const { header, kvs, more } = await ask('kv/range', wire.rangeBody(request), wire.rangeAnswer, how);
      return { revision: header.revision, entries: kvs, more };
    },
    put: async (key, value, lease) =>
      (await ask('kv/put', wire.putBody(key, value, lease), wire.putAnswer)).header.revision,
    delete: async (selected) => {
      const { header, deleted } = await ask('kv/deleterange', wire.deleteBody(selected), wire.deleteAnswer);
      return { revision: header.revision, deleted };
    },
    txn: async (txn) => {
      const { header, succeeded, responses } = await ask('kv/txn', wire.txnBody(txn), wire.txnAnswer);
      return { revision: header.revision, succeeded, results: responses };
    },
    watch,
    grantLease: async (ttl) => {
      const { ID, TTL } = await ask('lease/grant', { TTL: String(ttl) }, wire.leaseGranted);
      return { id: ID, ttl: TTL };
    },
    keepLease: async (id) => {
      const kept = await ask('lease/keepalive', { ID: id }, wire.leaseKept);
      if (kept.error !== undefined) throw refusal(kept.error, 'lease/keepalive');
      if (kept.result && kept.result.TTL > 0) return kept.result.TTL;
      throw new EtcdError({ kind: 'no-lease' }, `etcd: the lease ${id} has ended`);
    },
    revokeLease: async (id) => void (await ask('lease/revoke', { ID: id }, wire.anything)),
    compact: async (revision) => {
      // `physical`: answered when it is done, so that `defragment` finds what was freed.
      const body = { revision: String(revision), physical: true };
      await ask('kv/compaction', body, wire.anything, { slow: true });
    },

    status,
    members,
    addLearner: (peerUrl) =>
      patiently(
        async () =>
          (await ask('cluster/member/add', { peerURLs: [peerUrl], isLearner: true }, wire.memberAdded))
            .member,
      ),
    promote: (id) =>
      patiently(async () => {
        try {
          await ask('cluster/member/promote', { ID: id }, wire.anything);
        } catch (error) {
          // An answer that was lost: it may vote already.
          const voter = isEtcd(error, 'refused') && (await members()).some((m) => m.id === id && !m.learner);
          if (!voter) throw error;
        }
      }),
    removeMember: (id) =>
      patiently(async () => void (await ask('cluster/member/remove', { ID: id }, wire.anything))),
    handOver: async (to) =>
      void (await ask('maintenance/transfer-leadership', { targetID: to }, wire.anything)),
    defragment: async () =>
      void (await ask('maintenance/defragment', {}, wire.anything, { slow: true, leaderless: true })),
    snapshot: (file) => saveSnapshot(transports[preferred] as Transport, file, limits), // there is at least one
    disarm: async () => {
      const { alarms } = await ask('maintenance/alarm', { action: 'GET' }, wire.alarmList);
      for (const { memberID, alarm } of alarms)
        await ask('maintenance/alarm', { action: 'DEACTIVATE', memberID, alarm }, wire.anything);
    },
    close: () => {
      for (const transport of transports) transport.close();
    },
  };
};

const { O_WRONLY, O_CREAT, O_EXCL, O_NOFOLLOW } = constants;

/** A snapshot is whole pages of the database (multiples of 512 bytes) and, last of all, their SHA-256. */
const [PAGE, CHECKSUM] = [512, 32];

/** Under another name until it is complete: half a copy is none. */
const saveSnapshot = async (transport: Transport, file: string, limits: Limits): Promise<void> => {
  const part = `${file}.part`;
  const late = new AbortController();
  const timer = setTimeout(() => late.abort(), SLOW_MS);
  await rm(part, { force: true });
  const target = await open(part, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0o600);
  try {
    let size = 0;
    const call: Call = { path: 'maintenance/snapshot', body: {}, needsLeader: false };
    for await (const line of transport.lines(call, limits, late.signal)) {
      const { error, result } = shape(wire.snapshotLine, line, call.path);
      if (error !== undefined || !result) throw refusal(error, call.path);
      size += (await target.write(Buffer.from(result.blob, 'base64'))).bytesWritten;
    }
    if (size % PAGE !== CHECKSUM) throw unavailable('etcd snapshot: it broke off before its end', true);
    await target.sync();
    await rename(part, file);
  } finally {
    clearTimeout(timer);
    await target.close();
    await rm(part, { force: true });
  }
};
