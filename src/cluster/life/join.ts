/** A node joins: it makes sure that the manager is the token's, shows the token's secret, and gets its name and certificate. */
import { invalid, unavailable } from '../../errors.js';
import { generateKey, requestCertificate } from '../ca/authority.js';
import { parseToken, trustDigest } from '../ca/tokens.js';
import type { JoinRequest } from '../contract.js';
import { askOnce } from '../session/connect.js';
import {
  askedAdvertise,
  dataPathAddress,
  type HostInterface,
  joinPlace,
  listenPlace,
  withPort,
} from './addresses.js';
import type { NodeFiles, SavedState } from './files.js';

export interface JoinSettings {
  readonly files: NodeFiles;
  readonly interfaces: readonly HostInterface[];
  /** of the daemon's settings; empty: none */
  readonly defaultAdvertise: string;
}

/** The first address that answers as a manager whom the token means. Throws unavailable, or what the last one refused. */
const findManager = async (
  remotes: readonly string[],
  digest: string,
): Promise<{ readonly address: string; readonly authorities: string }> => {
  let failure: unknown = unavailable('no manager was named');
  for (const address of remotes.map(withPort)) {
    try {
      // Nobody is trusted yet, and nothing is said: what is answered must have the digest in the token.
      const { authorities } = await askOnce(address, undefined, { type: 'authorities' }, 'authorities');
      if (trustDigest(authorities) === digest) return { address, authorities };
      failure = invalid(`remote CA does not match fingerprint. Expected: ${digest}`);
    } catch (error) {
      failure = error;
    }
  }
  throw failure;
};

/** What there is of the cluster on the disk then; the node's session, and a manager's enrolment, begin with it. */
export const join = async (
  { files, interfaces, defaultAdvertise }: JoinSettings,
  request: JoinRequest,
): Promise<SavedState> => {
  if (request.token === '') throw invalid('A valid join token is necessary to join this cluster');
  const { digest, secret } = parseToken(request.token);
  const listen = listenPlace(request.listen, interfaces);
  const advertise = askedAdvertise(
    { advertise: request.advertise, defaultAdvertise },
    listen.port,
    interfaces,
  );
  const dataPath = dataPathAddress(request.dataPath, interfaces);
  const manager = await findManager(request.remotes, digest);
  const key = generateKey();
  const issued = await askOnce(
    manager.address,
    { authorities: manager.authorities },
    {
      type: 'join',
      secret,
      request: requestCertificate(key),
      availability: request.availability,
      advertise: joinPlace(advertise ?? { host: '', port: listen.port }),
    },
    'issued',
  );
  const state: SavedState = {
    version: 1,
    clusterId: issued.clusterId,
    nodeId: issued.nodeId,
    role: 'worker', // until it is enrolled, where it joins as a manager
    listen: joinPlace(listen),
    advertise: issued.advertise,
    dataPath,
    managers: issued.managers.length > 0 ? issued.managers : [{ id: '', address: manager.address }],
    gossipKeys: [],
  };
  files.saveCertificate(issued.certificate, issued.authorities, key);
  files.saveState(state);
  return state;
};
