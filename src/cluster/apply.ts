/** What the cluster says of other hosts gets into this host's records. */
import { type ClusterChange, type ClusterSide, NO_CHANGE } from '../engine/cluster.js';
import type { Logger } from '../log.js';

/** Each record by itself, so that one which the kernel refuses keeps no other from being followed. */
const apart = ({ networks, peers, balancers, vteps }: ClusterChange): readonly ClusterChange[] => [
  ...[...vteps].map((each) => ({ ...NO_CHANGE, vteps: new Map([each]) })),
  ...[...networks].map((each) => ({ ...NO_CHANGE, networks: new Map([each]) })),
  ...[...peers].map((each) => ({ ...NO_CHANGE, peers: new Map([each]) })),
  ...[...balancers].map((each) => ({ ...NO_CHANGE, balancers: new Map([each]) })),
];

const followAlone = (side: ClusterSide, change: ClusterChange, log: Logger): boolean => {
  try {
    side.follow(change);
    return true;
  } catch (error) {
    const about = Object.values(change)
      .flatMap((each) => [...each.keys()])
      .join(' ');
    log.error({ about, error: String(error) }, 'what another host did could not be followed here yet');
    return false;
  }
};

/** What this daemon is in the middle of itself it knows best. False: some of it is to be tried again. */
export const applyChange = (side: ClusterSide, change: ClusterChange, log: Logger): boolean => {
  const networks = new Map([...change.networks].filter(([id]) => !side.isUnderWay(id)));
  const wanted = { ...change, networks };
  try {
    side.follow(wanted);
    return true;
  } catch {
    return apart(wanted)
      .map((each) => followAlone(side, each, log))
      .every((done) => done);
  }
};
