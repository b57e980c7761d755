/** What of a container flows: attach, logs, wait, stats, the terminal's size. */
import { setTimeout as sleep } from 'node:timers/promises';
import { defined } from '../../defined.js';
import { invalid } from '../../errors.js';
import type { Usage } from '../../runtime/contract.js';
import { carry } from '../http/carry.js';
import { parseDetachKeys } from '../http/detach.js';
import { type Exchange, nameIn } from '../http/exchange.js';
import { hijack } from '../http/hijack.js';
import { does, openStream, sendJson, writeChunk } from '../http/reply.js';
import { hijackingRoute, route } from '../http/router.js';
import { describeFailure } from '../http/status.js';
import { presentStats, type Reading } from '../present/stats.js';
import { flag, terminalSize, text } from '../read/query.js';
import type { Answer } from '../schema/answer.js';

const attach = async (exchange: Exchange): Promise<void> => {
  const { containers } = exchange.engine;
  const keys = parseDetachKeys(text(exchange, 'detachKeys'));
  const container = containers.get(nameIn(exchange));
  const { Tty: tty } = container.config;
  const wanted = {
    logs: flag(exchange, 'logs'),
    stream: flag(exchange, 'stream'),
    stdin: flag(exchange, 'stdin'),
    stdout: flag(exchange, 'stdout'),
    stderr: flag(exchange, 'stderr'),
  };
  if (!wanted.logs && !wanted.stream) {
    hijack(exchange, !tty).release();
    return;
  }
  const { streams, settled } = containers.attach(container.id, wanted, exchange.gone);
  const connection = hijack(exchange, !tty);
  if (wanted.logs) await sleep(HEADER_AHEAD_MS);
  await carry(
    streams.then((each) => ({ streams: each, ...defined({ settled }) })),
    connection,
    {
      ...wanted,
      multiplexed: !tty,
      detachKeys: tty ? keys : null,
      gone: exchange.gone,
    },
  );
};

/**
 * Clients that read the header through a buffer (docker-py) lose what comes with it. dockerd needs a moment to find its
 * logs, so there the header comes alone; here it is given that moment.
 */
const HEADER_AHEAD_MS = 10;

const CONDITIONS = ['not-running', 'next-exit', 'removed'] as const;

const wait = async (exchange: Exchange): Promise<void> => {
  // Before 1.30 there were no conditions, and the headers came with the end.
  const asked = exchange.minor < 30 ? '' : text(exchange, 'condition');
  const condition = CONDITIONS.find((each) => each === (asked || 'not-running'));
  if (condition === undefined) throw invalid(`invalid condition: ${JSON.stringify(asked.slice(0, 60))}`);
  const { containers } = exchange.engine;
  const past = containers.find(nameIn(exchange)) ? undefined : containers.ended(nameIn(exchange));
  const ended = past
    ? Promise.resolve(past)
    : containers.wait(containers.get(nameIn(exchange)).id, condition);
  if (exchange.minor >= 30) openStream(exchange, 'application/json');
  const { exitCode, error } = await Promise.race([ended, left(exchange)]).catch((failure: unknown) => ({
    exitCode: -1,
    error: describeFailure(failure).message,
  }));
  const body: Answer<'ContainerWaitResponse'> = {
    StatusCode: exitCode,
    Error: error === '' ? undefined : { Message: error },
  };
  if (exchange.minor < 30) sendJson<Answer<'ContainerWaitResponse'>>(exchange, 200, body);
  else exchange.response.end(`${JSON.stringify(body)}\n`);
};

/** Ends the wait of a client that is gone. */
const left = ({ gone }: Exchange): Promise<{ exitCode: number; error: string }> =>
  new Promise((resolve) => {
    gone.addEventListener('abort', () => resolve({ exitCode: -1, error: 'context canceled' }), {
      once: true,
    });
  });

const SAMPLE_MS = 1000;

const stats = async (exchange: Exchange): Promise<void> => {
  const { containers } = exchange.engine;
  const container = containers.get(nameIn(exchange));
  const stream = flag(exchange, 'stream', true);
  const oneShot = exchange.minor >= 41 && flag(exchange, 'one-shot');
  const take = (): Reading => read(containers.usage(container.id));
  if (!stream) {
    let before: Reading | undefined;
    if (!oneShot && containers.usage(container.id) !== undefined) {
      before = take();
      await pause(exchange, SAMPLE_MS);
    }
    sendJson<Answer<'ContainerStatsResponse'>>(exchange, 200, presentStats(container, take(), before));
    return;
  }
  openStream(exchange, 'application/json');
  for (let before: Reading | undefined; !exchange.gone.aborted && containers.find(container.id); ) {
    const reading = take();
    await writeChunk(exchange, `${JSON.stringify(presentStats(container, reading, before))}\n`);
    before = reading;
    await pause(exchange, SAMPLE_MS);
  }
  exchange.response.end();
};

const read = (usage: Usage | undefined): Reading => ({
  time: new Date().toISOString(),
  ...defined({ usage }),
});

const pause = ({ gone }: Exchange, ms: number): Promise<void> =>
  new Promise((resolve) => {
    const timer = setTimeout(done, ms);
    gone.addEventListener('abort', done, { once: true });
    function done(): void {
      clearTimeout(timer);
      gone.removeEventListener('abort', done);
      resolve();
    }
  });

const resize = (exchange: Exchange): void =>
  exchange.engine.containers.resize(nameIn(exchange), terminalSize(exchange));

export const CONTAINER_STREAM_ROUTES = [
  hijackingRoute('POST', '/containers/:name/attach', attach),
  route('POST', '/containers/:name/wait', wait),
  route('GET', '/containers/:name/stats', stats),
  does('POST', '/containers/:name/resize', resize, 200),
];
