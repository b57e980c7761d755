/** etcd's member on a manager's machine: adopted where a former daemon started it, else begun; and when it has a vote. */
import { unavailable } from '../../errors.js';
import type { EtcdClient } from '../etcd/client.js';
import type { Beginning, Endpoint, EtcdProcess, EtcdSettings, MemberId } from '../etcd/contract.js';
import { adoptEtcd, forceNewCluster, QUOTA, restartEtcd, startEtcd, trustIn } from '../etcd/process.js';
import { lacksRoom } from '../etcd/room.js';
import { findPrograms } from '../programs.js';
import { splitPlace } from './addresses.js';
import type { NodeFiles, SavedState } from './files.js';

/** milliseconds */
const JOINED_PAUSE_MS = 100;
const LED_MS = 10_000;

/** Bytes that the store may have: etcd's own variable, where the daemon has it. */
export const STORE_QUOTA = Number(process.env.ETCD_QUOTA_BACKEND_BYTES) || QUOTA;

/** How etcd is to run on this manager. */
const memberSettings = ({ at, keys }: NodeFiles, saved: SavedState): EtcdSettings => {
  const place = splitPlace(saved.advertise);
  if (!place) throw new Error(`${saved.advertise} is no address`);
  return {
    name: saved.nodeId,
    clusterToken: saved.clusterId,
    dataDirectory: at.etcdData,
    runDirectory: at.etcdRun,
    logFile: at.etcdLog,
    advertise: { host: place.host, port: Number(place.port) },
    quota: STORE_QUOTA,
    files: { certificate: at.certificate, key: keys.path('node.key'), trust: at.trust },
  };
};

const beginMember = async (etcd: EtcdSettings, beginning: Beginning): Promise<EtcdProcess> => {
  const running = await adoptEtcd(etcd);
  const program = findPrograms().etcd;
  // On a full disk it would fall over its own log, and try to mend it there.
  const why = running ? undefined : lacksRoom(etcd.dataDirectory);
  if (why !== undefined) throw unavailable(why);
  if (beginning.kind === 'force-new') return forceNewCluster(program, running, etcd);
  if (!running) return startEtcd(program, etcd, beginning);
  // The daemon died after another authority had taken the place of the one that etcd trusts.
  const trustsAnother = running.trust !== '' && running.trust !== trustIn(etcd);
  return trustsAnother ? restartEtcd(program, running, etcd) : running;
};

export interface RunningMember extends Pick<EtcdProcess, 'client' | 'ended' | 'stop'> {
  readonly peers: () => Endpoint;
  /** Stopped and started again, for what it reads only then; resolves when it can be written to. Where it does not come up it has ended. */
  restart(etcd: Pick<EtcdClient, 'status'>): Promise<void>;
  /** until it can be written to again */
  restarting(): Promise<void> | undefined;
  /** Its end is told to nobody from now on. */
  leave(): void;
}

/** `ended`: told where it has ended, and not by us. */
export const startMember = async (
  files: NodeFiles,
  saved: SavedState,
  beginning: Beginning,
  ended: () => void,
): Promise<RunningMember> => {
  const settings = memberSettings(files, saved);
  let running = await beginMember(settings, beginning);
  let restarting: Promise<void> | undefined;
  let left = false;
  const watch = (each: EtcdProcess): void =>
    void each.ended.then(() => {
      if (!left && !restarting && each === running) ended();
    });
  watch(running);
  const startAgain = async (etcd: Pick<EtcdClient, 'status'>): Promise<void> => {
    running = await restartEtcd(findPrograms().etcd, running, settings);
    watch(running);
    await untilLed(etcd);
  };
  return {
    client: running.client,
    ended: running.ended,
    peers: () => running.peers,
    restart: async (etcd) => {
      restarting ??= startAgain(etcd).finally(() => {
        restarting = undefined;
      });
      await restarting.catch((error: unknown) => {
        if (!left) ended();
        throw error;
      });
    },
    restarting: () => restarting,
    leave() {
      left = true;
    },
    stop: async () => {
      await restarting?.catch(() => {});
      await running.stop();
    },
  };
};

/** Resolves when this member knows a leader, or has none for so long that there is none. */
const untilLed = async (etcd: Pick<EtcdClient, 'status'>): Promise<void> => {
  for (let waited = 0; waited < LED_MS; waited += JOINED_PAUSE_MS) {
    if ((await etcd.status().catch(() => undefined))?.leader !== undefined) return;
    await new Promise((resolve) => setTimeout(resolve, JOINED_PAUSE_MS));
  }
};

/** Resolves when this member has a vote, to which member it is; throws where etcd ends before. */
export const untilVoter = async (etcd: EtcdClient, ended: Promise<void>): Promise<MemberId> => {
  let over = false;
  void ended.then(() => {
    over = true;
  });
  while (!over) {
    const status = await etcd.status().catch(() => undefined);
    if (status && !status.learner) return status.memberId;
    await new Promise((resolve) => setTimeout(resolve, JOINED_PAUSE_MS));
  }
  throw new Error('etcd ended before it became a member of the cluster; its log says why');
};
