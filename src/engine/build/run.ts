/**
 * RUN: a container of our own on the image so far, with the network, limits and capabilities of any other. Its upper layer is
 * the step's; nothing else of it is left, whether it ends, fails, the client leaves or the daemon is killed.
 */

import type { Readable } from 'node:stream';
import { StringDecoder } from 'node:string_decoder';
import { commandLine } from '../../builder/apply.js';
import { stepVariables, tracedVariables } from '../../builder/args.js';
import type { Command } from '../../builder/instructions.js';
import { err, type Line, out, removed, runningIn, warning } from '../../builder/output.js';
import { internal } from '../../errors.js';
import type { Image } from '../../model/image.js';
import type { ContainerCreateRequest } from '../contract.js';
import { BuildError } from './contract.js';
import { advance, type Build, type State } from './state.js';

/** What is committed under: build arguments that it could see are part of what it is. */
const wordsOf = (
  command: readonly string[],
  seen: readonly string[],
  traced: readonly string[],
): readonly string[] => [...(seen.length > 0 ? [`|${traced.length}`, ...traced] : []), ...command];

const containerRequest = (
  { request }: Build,
  { image, config }: State,
  command: readonly string[],
  seen: readonly string[],
): ContainerCreateRequest => ({
  name: '',
  platform: '',
  config: {
    Hostname: '',
    Domainname: '',
    User: config.User ?? '',
    AttachStdin: false,
    AttachStdout: true,
    AttachStderr: true,
    Tty: false,
    OpenStdin: false,
    StdinOnce: false,
    Env: [...(config.Env ?? []), ...seen],
    // RUN [] runs what the image would
    Cmd: command.length > 0 ? command : null,
    Entrypoint: command.length > 0 ? [] : null,
    Image: image.id,
    Volumes: {},
    WorkingDir: config.WorkingDir ?? '',
    Labels: {},
    Healthcheck: { Test: ['NONE'] },
  },
  hostConfig: request.hostConfig,
  networks: [],
  ...(request.keepContainers ? {} : { step: true }),
});

const pump = async (
  stream: Readable | null,
  line: (text: string) => Line,
  tell: Build['tell'],
): Promise<void> => {
  const decoder = new StringDecoder('utf8');
  for await (const chunk of stream ?? []) {
    const text = decoder.write(chunk);
    if (text !== '') await tell(line(text));
  }
};

const remove = async ({ containers, parts }: Build, id: string): Promise<void> => {
  try {
    if (containers.find(id)) await containers.remove(id, { force: true, volumes: true, link: false });
  } catch (error) {
    // the daemon's next start tries again
    parts.log.warn({ container: id, error: String(error) }, 'container of a build not removed');
  }
};

const ATTACH = { logs: false, stream: true, stdin: false, stdout: true, stderr: true };

/** Tells what the container says until it has nothing more to say. */
const relay = async ({ containers, signal, tell }: Build, id: string): Promise<void> => {
  const streams = await containers.attach(id, ATTACH, signal).streams;
  try {
    await Promise.all([pump(streams.stdout, out, tell), pump(streams.stderr, err, tell)]);
  } finally {
    streams.detach();
  }
};

/** Runs to the end; answers the exit code. A client that leaves takes the container along. */
const runToEnd = async (build: Build, id: string): Promise<number> => {
  const { containers, signal } = build;
  const leave = (): void => void remove(build, id);
  signal.addEventListener('abort', leave, { once: true });
  try {
    const told = relay(build, id);
    told.catch(() => {}); // awaited below, after the start
    const ended = containers.wait(id, 'next-exit');
    await containers.start(id);
    const [{ exitCode }] = await Promise.all([ended, told]);
    return exitCode;
  } finally {
    signal.removeEventListener('abort', leave);
  }
};

const runContainer = async (build: Build, id: string, command: readonly string[]): Promise<void> => {
  if (build.signal.aborted) throw internal('Build cancelled');
  const exitCode = await runToEnd(build, id);
  if (build.signal.aborted) throw internal('Build cancelled');
  if (exitCode === 0) return;
  throw new BuildError(`The command '${command.join(' ')}' returned a non-zero code: ${exitCode}`, exitCode);
};

export const runStep = async (build: Build, state: State, asked: Command): Promise<State> => {
  const command = commandLine(asked, state.config);
  const seen = stepVariables(state.args, state.config.Env ?? []);
  const words = wordsOf(command, seen, tracedVariables(state.args, seen));
  const { containers, drafts, tell, request } = build;
  return advance(build, state, words, async (step): Promise<Image> => {
    // a container that stays needs an image that does
    if (request.keepContainers && !state.blank) await drafts.store(state.image, []);
    const { id, warnings } = await containers.create(containerRequest(build, state, command, seen));
    try {
      for (const text of warnings) await tell(warning(text));
      await tell(runningIn(id));
      await runContainer(build, id, command);
      return await drafts.child(state.image, step, { containerId: id, stays: request.keepContainers });
    } finally {
      if (!request.keepContainers) {
        await remove(build, id);
        await tell(removed(id));
      }
    }
  });
};
