/** What the cluster says of other hosts gets into this host's records. */
import type { ClusterChange, ClusterSide } from '../engine/cluster.js';
import type { Logger } from '../log.js';

/** What this daemon is in the middle of itself it knows best. False: it is to be tried again. */
export const applyChange = (side: ClusterSide, change: ClusterChange, log: Logger): boolean => {
  const networks = new Map([...change.networks].filter(([id]) => !side.isUnderWay(id)));
  try {
    side.follow({ ...change, networks });
    return true;
  } catch (error) {
    log.error({ error: String(error) }, 'what other hosts did could not be followed here yet');
    return false;
  }
};
