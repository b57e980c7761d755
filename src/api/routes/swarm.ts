/** The cluster: beginning it, joining, leaving, its settings, tokens and lock. */
import type { Rotation } from '../../cluster/contract.js';
import { readJson } from '../http/body.js';
import type { Exchange } from '../http/exchange.js';
import { answers, does } from '../http/reply.js';
import { presentCluster } from '../present/swarm.js';
import { flag, parsedBoolean, version } from '../read/query.js';
import { readClusterSpec, readInit, readJoin, readUnlock } from '../read/swarm.js';
import type { Answer } from '../schema/answer.js';
import { currentManager } from './manager.js';

const inspect = async (exchange: Exchange): Promise<Answer<'Swarm'>> => {
  const manager = await currentManager(exchange);
  const { worker, manager: managers } = manager.tokens();
  return { ...presentCluster(manager.cluster()), JoinTokens: { Worker: worker, Manager: managers } };
};

const update = async (exchange: Exchange): Promise<void> => {
  const spec = readClusterSpec(await readJson(exchange));
  const from = version(exchange, 'swarm');
  const rotate: Rotation = {
    workerToken: parsedBoolean(exchange, 'rotateWorkerToken'),
    managerToken: parsedBoolean(exchange, 'rotateManagerToken'),
    unlockKey: parsedBoolean(exchange, 'rotateManagerUnlockKey'),
  };
  const manager = await currentManager(exchange);
  await manager.updateCluster(from, spec, rotate);
};

export const SWARM_ROUTES = [
  answers<Answer<'Swarm'>>('GET', '/swarm', inspect),
  answers<string>('POST', '/swarm/init', async (exchange) =>
    exchange.swarm.init(readInit(await readJson(exchange), exchange.minor)),
  ),
  does(
    'POST',
    '/swarm/join',
    async (exchange) => exchange.swarm.join(readJoin(await readJson(exchange))),
    200,
  ),
  does('POST', '/swarm/leave', (exchange) => exchange.swarm.leave(flag(exchange, 'force')), 200),
  does('POST', '/swarm/update', update, 200),
  does(
    'POST',
    '/swarm/unlock',
    async (exchange) => exchange.swarm.unlock(readUnlock(await readJson(exchange))),
    200,
  ),
  answers<{ readonly UnlockKey: string }>('GET', '/swarm/unlockkey', ({ swarm }) => ({
    UnlockKey: swarm.manager().unlockKey(),
  })),
];
