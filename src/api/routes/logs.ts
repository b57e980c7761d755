/** Logs: of containers, of services, of tasks. */
import type { LogSelection, LogWish, ServiceLine } from '../../cluster/contract.js';
import { invalid, refused } from '../../errors.js';
import type { TaskSpec } from '../../model/swarm/service.js';
import type { LogLine } from '../../runtime/contract.js';
import { type Exchange, nameIn, param } from '../http/exchange.js';
import { MULTIPLEXED_STREAM, RAW_STREAM } from '../http/hijack.js';
import { batches, openStream } from '../http/reply.js';
import { type Route, route } from '../http/router.js';
import { describeFailure } from '../http/status.js';
import { frame, STDERR, STDOUT, SYSTEM_ERROR } from '../http/stdcopy.js';
import { presentLogLine } from '../present/log.js';
import { type Logged, logAttributes } from '../present/log-attributes.js';
import { flag, text } from '../read/query.js';
import { unixNanoseconds } from '../read/time.js';

const NS_PER_MS = 1_000_000n;

/** Milliseconds; what is of before the epoch is of no use, and counts for nothing. */
const time = (exchange: Exchange, name: string): number => {
  const ns = unixNanoseconds(text(exchange, name), name);
  // In two parts, as a log's reader takes a line's time: who asks since a line's time gets that line.
  return Math.max(0, Number(ns / NS_PER_MS) + Number(ns % NS_PER_MS) / Number(NS_PER_MS));
};

/** What logs of every kind are asked by. Throws invalid. */
const readWish = (exchange: Exchange): Omit<LogWish, 'tail'> => {
  const stdout = flag(exchange, 'stdout');
  const stderr = flag(exchange, 'stderr');
  if (!stdout && !stderr) throw invalid("must specify at least one of 'stdout' or 'stderr'");
  return { stdout, stderr, since: time(exchange, 'since'), follow: flag(exchange, 'follow') };
};

/** Answers with lines as long as there are any and somebody reads them. */
const send = async <Line extends LogLine>(
  exchange: Exchange,
  multiplexed: boolean,
  all: AsyncIterable<Line>,
  attributesOf: (line: Line) => string,
): Promise<void> => {
  const form = { timestamps: flag(exchange, 'timestamps'), details: flag(exchange, 'details') };
  const lines = all[Symbol.asyncIterator]();
  exchange.gone.addEventListener('abort', () => void lines.return?.(), { once: true });
  openStream(exchange, multiplexed && exchange.minor >= 42 ? MULTIPLEXED_STREAM : RAW_STREAM);
  const out = batches(exchange);
  try {
    for (let next = await lines.next(); next.done !== true; next = await lines.next()) {
      const bytes = presentLogLine(next.value, form, attributesOf(next.value));
      const number = next.value.stream === 'stderr' ? STDERR : STDOUT;
      await out.write(multiplexed ? frame(number, bytes) : bytes);
      if (exchange.gone.aborted) break;
    }
  } catch (failure) {
    // The answer has begun: the reason goes into the stream.
    const reason = Buffer.from(`Error grabbing logs: ${describeFailure(failure).message}\n`);
    await out.write(multiplexed ? frame(SYSTEM_ERROR, reason) : reason);
  }
  await out.end();
  exchange.response.end();
};

const ofContainer = async (exchange: Exchange): Promise<void> => {
  const { containers } = exchange.engine;
  const request = { ...readWish(exchange), until: time(exchange, 'until'), tail: readTail(exchange) };
  const { id, config, hostConfig } = containers.get(nameIn(exchange));
  const options = hostConfig.LogConfig?.Config ?? {};
  const attributes = logAttributes({ labels: config.Labels, env: config.Env, options });
  await send(exchange, !config.Tty, containers.logs(id, request), () => attributes);
};

/** `all`, empty and what is no number: every line. */
const readTail = (exchange: Exchange): number => {
  const value = text(exchange, 'tail');
  return /^\d{1,9}$/.test(value) ? Number(value) : -1;
};

/** Of services Docker takes less. */
const readTailOfTasks = (exchange: Exchange): number => {
  const value = text(exchange, 'tail');
  if (/^-\d+$/.test(value)) throw refused('negative tail values not supported');
  if (!/^(|all|\d{1,9})$/.test(value)) throw refused('tail value must be a positive integer or "all"');
  return readTail(exchange);
};

/** The client takes a line apart by these. */
const whose = ({ nodeId, serviceId, taskId }: ServiceLine) => ({
  'com.docker.swarm.node.id': nodeId,
  'com.docker.swarm.service.id': serviceId,
  'com.docker.swarm.task.id': taskId,
});

const loggedOf = (made: TaskSpec | undefined): Logged => ({
  labels: made?.container.Labels ?? {},
  env: made?.container.Env ?? [],
  options: made?.logDriver?.options ?? {},
});

const ofTasks = async (
  exchange: Exchange,
  selection: LogSelection,
  made: TaskSpec | undefined,
): Promise<void> => {
  const wish = { ...readWish(exchange), tail: readTailOfTasks(exchange) };
  const lines = exchange.swarm.manager().logs(selection, wish, exchange.gone);
  const logged = loggedOf(made);
  await send(exchange, made?.container.TTY !== true, lines, (line) => logAttributes(logged, whose(line)));
};

const ofService = (exchange: Exchange): Promise<void> => {
  const { id, spec } = exchange.swarm.manager().service(param(exchange, 'id'));
  return ofTasks(exchange, { serviceId: id }, spec.task);
};

const ofTask = (exchange: Exchange): Promise<void> => {
  const { task, made } = exchange.swarm.manager().task(param(exchange, 'id'));
  return ofTasks(exchange, { serviceId: task.serviceId, taskId: task.id }, made?.task);
};

export const LOG_ROUTES: readonly Route[] = [
  route('GET', '/containers/:name/logs', ofContainer),
  route('GET', '/services/:id/logs', ofService),
  route('GET', '/tasks/:id/logs', ofTask),
];
