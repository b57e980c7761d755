/**
 * Who answers and who does not, as Serf's agents of all nodes agree: within seconds, also while no manager can be reached. It never says
 * what is true of the cluster; without it a lost node is missed later, by its session.
 */
import { setTimeout as pause } from 'node:timers/promises';
import type { Logger } from '../../log.js';
import { findPrograms } from '../programs.js';
import type { SerfKey, SerfProcess } from '../serf/contract.js';
import { adoptSerf, SERF_PORT, startSerf } from '../serf/process.js';
import { connectSerf } from '../serf/rpc.js';
import { joinPlace, splitPlace } from './addresses.js';
import type { NodeFiles, SavedState } from './files.js';

/** milliseconds */
const AGAIN_MS = 2_000;
const GOODBYE_MS = 5_000;

export interface GossipSettings {
  readonly files: NodeFiles;
  readonly saved: SavedState;
  readonly keys: readonly [SerfKey, ...SerfKey[]];
  readonly log: Logger;
  /** Told when somebody else answers or does not. Must not throw. */
  readonly changed: () => void;
}

export interface Gossip {
  /** ids of nodes that do not answer; the same set for ever */
  readonly failed: ReadonlySet<string>;
  /** The daemon ends, and the agent goes on; `leave`: it says goodbye to the others and ends. */
  close(leave: boolean): Promise<void>;
}

const begin = async ({ files, saved, keys }: GossipSettings): Promise<SerfProcess> => {
  const host = splitPlace(saved.advertise)?.host ?? '';
  const listen = splitPlace(saved.listen)?.host ?? '0.0.0.0';
  const others = saved.managers
    .filter(({ id }) => id !== saved.nodeId)
    .flatMap(({ address }) => splitPlace(address)?.host ?? []);
  return (
    (await adoptSerf(files.at.serf)) ??
    startSerf(findPrograms().serf, {
      name: saved.nodeId,
      tags: { cluster: saved.clusterId },
      bind: { host: host.includes(':') && listen === '0.0.0.0' ? '::' : listen, port: SERF_PORT },
      advertise: { host, port: SERF_PORT },
      join: others.map((each) => joinPlace({ host: each, port: String(SERF_PORT) })),
      keys,
      directory: files.at.serf,
      logFile: files.at.serfLog,
    })
  );
};

export const startGossip = (settings: GossipSettings): Gossip => {
  const { log } = settings;
  const over = new AbortController();
  const { signal } = over;
  const failed = new Set<string>();
  let agent: SerfProcess | undefined;
  let told = '';

  const listen = async (): Promise<void> => {
    agent = await begin(settings);
    const serf = await connectSerf(agent.rpc);
    try {
      for await (const { members } of serf.events(signal)) {
        for (const { name, state } of members) {
          if (state === 'failed') failed.add(name);
          else failed.delete(name);
        }
        told = '';
        settings.changed();
      }
    } finally {
      serf.close();
    }
  };

  const run = async (): Promise<void> => {
    while (!signal.aborted) {
      await listen().catch((error: unknown) => {
        if (signal.aborted || String(error) === told) return;
        told = String(error);
        log.warn({ error: told }, 'Serf is not there: a node that dies is missed later than it could be');
      });
      // Who does not know says that nobody has failed.
      if (failed.size > 0) {
        failed.clear();
        settings.changed();
      }
      await pause(AGAIN_MS, undefined, { signal }).catch(() => {});
    }
  };
  const running = run();

  return {
    failed,
    async close(leave) {
      over.abort();
      await Promise.race([running, pause(GOODBYE_MS, undefined, { ref: false })]);
      if (!leave) return;
      const there = agent ?? (await adoptSerf(settings.files.at.serf));
      if (!there) return;
      const serf = await connectSerf(there.rpc).catch(() => undefined);
      await serf?.leave().catch(() => {});
      serf?.close();
      await there.stop();
    },
  };
};
