/** Files of containers: `docker cp`, `docker export`, `docker commit`. */
import { invalid } from '../../errors.js';
import { joinReference } from '../../images/reference.js';
import type { PathStat } from '../../runtime/contract.js';
import { type Exchange, nameIn } from '../http/exchange.js';
import { answers, does } from '../http/reply.js';
import { route } from '../http/router.js';
import { sendTar } from '../http/tar.js';
import { flag, text } from '../read/query.js';
import type { Answer } from '../schema/answer.js';

const path = (exchange: Exchange): string => {
  const value = text(exchange, 'path');
  if (value === '') throw invalid('bad parameter: path cannot be empty');
  if (value.includes('\0')) throw invalid('bad parameter: path cannot contain a zero byte');
  return value;
};

const STAT_HEADER = 'X-Docker-Container-Path-Stat';
const encodeStat = ({ name: file, size, mode, mtime, linkTarget }: PathStat): string =>
  Buffer.from(JSON.stringify({ name: file, size, mode, mtime, linkTarget })).toString('base64');

const head = async (exchange: Exchange): Promise<void> => {
  const stat = await exchange.engine.containers.stat(nameIn(exchange), path(exchange));
  exchange.response.setHeader(STAT_HEADER, encodeStat(stat));
};

const get = async (exchange: Exchange): Promise<void> => {
  const { stat, tar } = await exchange.engine.containers.archive(nameIn(exchange), path(exchange));
  await sendTar(exchange, tar, { [STAT_HEADER]: encodeStat(stat) });
};

const put = (exchange: Exchange): Promise<void> =>
  exchange.engine.containers.extract(nameIn(exchange), path(exchange), exchange.request, {
    noOverwriteDirNonDir: flag(exchange, 'noOverwriteDirNonDir'),
    copyUidGid: flag(exchange, 'copyUIDGID'),
  });

const commit = async (exchange: Exchange): Promise<Answer<'IDResponse'>> => {
  const repo = text(exchange, 'repo');
  const tag = text(exchange, 'tag');
  joinReference(repo, tag);
  const id = await exchange.engine.containers.commit(text(exchange, 'container'), {
    repo,
    tag,
    comment: text(exchange, 'comment'),
    author: text(exchange, 'author'),
    changes: exchange.query.getAll('changes'),
    pause: flag(exchange, 'pause', true),
  });
  return { Id: id };
};

export const ARCHIVE_ROUTES = [
  does('HEAD', '/containers/:name/archive', head, 200),
  route('GET', '/containers/:name/archive', get),
  does('PUT', '/containers/:name/archive', put, 200),
  route('GET', '/containers/:name/export', async (exchange) =>
    sendTar(exchange, await exchange.engine.containers.export(nameIn(exchange))),
  ),
  answers('POST', '/commit', commit, 201),
];
