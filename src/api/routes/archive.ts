/** Files of containers: `docker cp`, `docker export`, `docker commit`. */
import { invalid } from '../../errors.js';
import type { PathStat } from '../../runtime/contract.js';
import { type Exchange, param } from '../http/exchange.js';
import { sendEmpty, sendJson } from '../http/reply.js';
import { route } from '../http/router.js';
import { sendTar } from '../http/tar.js';
import { flag, text } from '../read/query.js';
import type { Answer } from '../schema/answer.js';
import { joinReference } from '../validate/reference.js';

const name = (exchange: Exchange): string => param(exchange, 'name');

const path = (exchange: Exchange): string => {
  const value = text(exchange, 'path');
  if (value === '') throw invalid('bad parameter: path cannot be empty');
  if (value.includes('\0')) throw invalid('bad parameter: path cannot contain a zero byte');
  return value;
};

const STAT_HEADER = 'X-Docker-Container-Path-Stat';
const encodeStat = ({ name: file, size, mode, mtime, linkTarget }: PathStat): string =>
  Buffer.from(JSON.stringify({ name: file, size, mode, mtime, linkTarget })).toString('base64');

const get = async (exchange: Exchange): Promise<void> => {
  const { stat, tar } = await exchange.engine.containers.archive(name(exchange), path(exchange));
  await sendTar(exchange, tar, { [STAT_HEADER]: encodeStat(stat) });
};

const put = async (exchange: Exchange): Promise<void> => {
  await exchange.engine.containers.extract(name(exchange), path(exchange), exchange.request, {
    noOverwriteDirNonDir: flag(exchange, 'noOverwriteDirNonDir'),
    copyUidGid: flag(exchange, 'copyUIDGID'),
  });
  sendEmpty(exchange, 200);
};

const commit = async (exchange: Exchange): Promise<void> => {
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
  sendJson<Answer<'IDResponse'>>(exchange, 201, { Id: id });
};

export const ARCHIVE_ROUTES = [
  route('HEAD', '/containers/:name/archive', async (exchange) => {
    const stat = await exchange.engine.containers.stat(name(exchange), path(exchange));
    exchange.response.setHeader(STAT_HEADER, encodeStat(stat));
    sendEmpty(exchange, 200);
  }),
  route('GET', '/containers/:name/archive', get),
  route('PUT', '/containers/:name/archive', put),
  route('GET', '/containers/:name/export', (exchange) =>
    sendTar(exchange, exchange.engine.containers.export(name(exchange))),
  ),
  route('POST', '/commit', commit),
];
