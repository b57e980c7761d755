/** The cluster: beginning it, joining, leaving, its settings, tokens and lock. */
import type { Rotation } from '../../cluster/contract.js';
import { invalid } from '../../errors.js';
import { readJson } from '../http/body.js';
import type { Exchange } from '../http/exchange.js';
import { answers, does } from '../http/reply.js';
import { presentCluster } from '../present/swarm.js';
import { flag, text } from '../read/query.js';
import { readClusterSpec, readInit, readJoin, readUnlock } from '../read/swarm.js';
import type { Answer } from '../schema/answer.js';

const TRUE = ['1', 't', 'T', 'TRUE', 'true', 'True'];
const FALSE = ['0', 'f', 'F', 'FALSE', 'false', 'False'];

/** As Go's ParseBool. */
const rotation = (exchange: Exchange, name: string): boolean => {
  const value = text(exchange, name);
  if (value === '' || FALSE.includes(value)) return false;
  if (TRUE.includes(value)) return true;
  throw invalid(`invalid value for ${name}: ${value.slice(0, 100)}`);
};

/** The version of an object that a change was made from. Throws invalid. */
export const readVersion = (exchange: Exchange, what: string): number => {
  const value = text(exchange, 'version');
  if (/^\d{1,15}$/.test(value)) return Number(value);
  throw invalid(
    `invalid ${what} version '${value.slice(0, 100)}': strconv.ParseUint: parsing "${value.slice(0, 100)}": invalid syntax`,
  );
};

const inspect = ({ swarm }: Exchange): Answer<'Swarm'> => {
  const manager = swarm.manager();
  const { worker, manager: managers } = manager.tokens();
  return { ...presentCluster(manager.cluster()), JoinTokens: { Worker: worker, Manager: managers } };
};

const update = async (exchange: Exchange): Promise<void> => {
  const spec = readClusterSpec(await readJson(exchange));
  const version = readVersion(exchange, 'swarm');
  const rotate: Rotation = {
    workerToken: rotation(exchange, 'rotateWorkerToken'),
    managerToken: rotation(exchange, 'rotateManagerToken'),
    unlockKey: rotation(exchange, 'rotateManagerUnlockKey'),
  };
  await exchange.swarm.manager().updateCluster(version, spec, rotate);
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
