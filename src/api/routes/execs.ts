/** Execs: create, start, resize, inspect. */

import * as z from 'zod';
import { invalid } from '../../errors.js';
import { fields } from '../../go-fields.js';
import type { TerminalSize } from '../../runtime/contract.js';
import { readJson } from '../http/body.js';
import { carry } from '../http/carry.js';
import { parseDetachKeys } from '../http/detach.js';
import { type Exchange, param } from '../http/exchange.js';
import { type Hijacked, hijack } from '../http/hijack.js';
import { answers, does, sendEmpty } from '../http/reply.js';
import { hijackingRoute } from '../http/router.js';
import { describeFailure, isFault } from '../http/status.js';
import { frame, STDOUT } from '../http/stdcopy.js';
import { presentExec } from '../present/exec.js';
import { boolean, commandLine, decode, integer, string, strings } from '../read/decode.js';
import { terminalSize } from '../read/query.js';
import type { Answer } from '../schema/answer.js';

const consoleSize = z.array(integer).max(2).optional();

const createSchema = fields({
  User: string.default(''),
  Privileged: boolean.default(false),
  Tty: boolean.default(false),
  ConsoleSize: consoleSize,
  AttachStdin: boolean.default(false),
  AttachStdout: boolean.default(false),
  AttachStderr: boolean.default(false),
  DetachKeys: string.default(''),
  Env: strings.default([]),
  WorkingDir: string.default(''),
  Cmd: commandLine.default([]),
});

const startSchema = fields({
  Detach: boolean.default(false),
  Tty: boolean.default(false),
  ConsoleSize: consoleSize,
});

const id = (exchange: Exchange): string => param(exchange, 'id');

/** Docker sends height and width; before 1.42 the field meant nothing. */
const readSize = (exchange: Exchange, size: readonly number[] | undefined): { size?: TerminalSize } => {
  const [rows = 0, columns = 0] = size ?? [];
  return exchange.minor < 42 || rows <= 0 || columns <= 0 ? {} : { size: { rows, columns } };
};

const create = async (exchange: Exchange): Promise<Answer<'IDResponse'>> => {
  const sent = decode(createSchema, (await readJson(exchange)) ?? {});
  if (sent.Cmd.length === 0) throw invalid('No exec command specified');
  if (sent.DetachKeys !== '') parseDetachKeys(sent.DetachKeys);
  const { id: made } = exchange.engine.execs.create(param(exchange, 'name'), {
    command: sent.Cmd,
    tty: sent.Tty,
    attachStdin: sent.AttachStdin,
    attachStdout: sent.AttachStdout,
    attachStderr: sent.AttachStderr,
    env: sent.Env,
    user: sent.User,
    workingDir: sent.WorkingDir,
    privileged: sent.Privileged,
    detachKeys: sent.DetachKeys,
    ...(sent.Tty ? readSize(exchange, sent.ConsoleSize) : {}),
  });
  return { Id: made };
};

const start = async (exchange: Exchange): Promise<void> => {
  const sent = decode(startSchema, (await readJson(exchange)) ?? {});
  const { execs } = exchange.engine;
  const exec = execs.get(id(exchange));
  const options = {
    detach: sent.Detach,
    tty: sent.Tty,
    ...(sent.Tty ? readSize(exchange, sent.ConsoleSize) : {}),
  };
  const { running } = execs.start(exec.id, options);
  if (sent.Detach) {
    const { streams } = await running;
    // Nobody listens, but full pipes would stop the process.
    streams.stdout.resume();
    streams.stderr?.resume();
    sendEmpty(exchange, 200);
    return;
  }
  // The header goes out before the process is there: its first output must not come in the header's company.
  const connection = hijack(exchange, !sent.Tty);
  await carry(running, connection, {
    multiplexed: !sent.Tty,
    stdin: exec.request.attachStdin,
    stdout: exec.request.attachStdout,
    stderr: exec.request.attachStderr,
    detachKeys: exec.request.tty ? parseDetachKeys(exec.request.detachKeys ?? '') : null,
    gone: exchange.gone,
  }).catch((failure: unknown) => tell(exchange, connection, failure, sent.Tty));
};

/**
 * A command that cannot be run is told in the stream, as in Docker: clients then read the exit code (126, 127) from
 * `inspect`. What is wrong with the request itself was an ordinary error before.
 */
const tell = (exchange: Exchange, { output, release }: Hijacked, failure: unknown, tty: boolean): void => {
  const { message } = describeFailure(failure);
  if (isFault(failure)) exchange.logger.error({ err: failure, url: exchange.request.url }, message);
  const line = Buffer.from(`${message}\r\n`);
  output.write(tty ? line : frame(STDOUT, line));
  release();
};

export const EXEC_ROUTES = [
  answers('POST', '/containers/:name/exec', create, 201),
  hijackingRoute('POST', '/exec/:id/start', start),
  does(
    'POST',
    '/exec/:id/resize',
    (exchange) => exchange.engine.execs.resize(id(exchange), terminalSize(exchange)),
    200,
  ),
  answers<Answer<'ExecInspectResponse'>>('GET', '/exec/:id/json', (exchange) =>
    presentExec(exchange.engine.execs.get(id(exchange))),
  ),
];
