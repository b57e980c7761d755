/**
 * `docker build` by `buildah bud`: the context is laid down as a directory, the request becomes an argument vector, the
 * output becomes the classic builder's lines. RUN has no network namespace of its own (chroot isolation): it sees the
 * host's network, or none when the request says so.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { invalid, notImplemented } from '../errors.js';
import { buildFailure, endLines, errorLines, outputLines } from './build-output.js';
import { ChildError, runChild } from './child.js';
import { dockerfileIn, layContext } from './context.js';
import type { BuildRequest, Progress } from './contract.js';
import { familiarText, fullText, parseReference, withDefaultTag } from './reference.js';
import { inScratch } from './spool.js';
import type { Storage } from './storage.js';
import { complaint } from './tools.js';

const KEY = /^[A-Za-z_][A-Za-z0-9_.-]*$/;

/** `--flag=value` in one word, so that no value is ever read as another flag. */
const flag = (name: string, value: string): string => `--${name}=${value}`;

const buildArgs = (args: BuildRequest['buildArgs']): readonly string[] =>
  Object.entries(args).flatMap(([key, value]) => {
    if (!KEY.test(key)) throw invalid(`invalid build argument name ${JSON.stringify(key)}`);
    // null: the daemon's own environment, of which a build gets nothing
    return value === null ? [] : [flag('build-arg', `${key}=${value}`)];
  });

const labels = (all: BuildRequest['labels']): readonly string[] =>
  Object.entries(all).map(([key, value]) => {
    if (!key || key.includes('=')) throw invalid(`invalid label name ${JSON.stringify(key)}`);
    return flag('label', `${key}=${value}`);
  });

const extraHosts = (hosts: readonly string[]): readonly string[] =>
  hosts.map((host) => {
    if (!/^[A-Za-z0-9._-]+[:=][0-9A-Fa-f.:[\]]+$/.test(host))
      throw invalid(`invalid extra host ${JSON.stringify(host)}`);
    return flag('add-host', host.replace('=', ':'));
  });

/** An empty network namespace around buildah itself stands for `none`: chroot isolation makes none. */
const commandFor = (networkMode: string): readonly string[] => {
  if (networkMode === 'none') return ['unshare', '--net', 'buildah'];
  if (['', 'default', 'host', 'bridge'].includes(networkMode)) return ['buildah'];
  throw notImplemented(`building on network ${networkMode} is not supported; use default, host or none`);
};

const argumentsFor = (
  storage: Storage,
  request: BuildRequest,
  names: readonly string[],
  paths: { readonly context: string; readonly dockerfile: string; readonly idFile: string },
): readonly string[] => [
  'bud',
  flag('signature-policy', storage.policy),
  '--isolation=chroot',
  '--format=docker',
  '--force-rm',
  flag('pull', request.pull ? 'always' : 'false'),
  flag('layers', 'true'),
  ...(request.noCache ? ['--no-cache'] : []),
  ...(request.target ? [flag('target', request.target)] : []),
  ...buildArgs(request.buildArgs),
  ...labels(request.labels),
  ...extraHosts(request.extraHosts),
  ...names.map((name) => flag('tag', name)),
  flag('iidfile', paths.idFile),
  flag('file', paths.dockerfile),
  '--',
  paths.context,
];

/** Answers the id. Throws invalid (BuildError where a RUN failed) with Docker's words. */
export const buildImage = (
  storage: Storage,
  request: BuildRequest,
  progress: Progress,
  signal: AbortSignal,
): Promise<string> => {
  const references = request.tags.map((tag) => withDefaultTag(parseReference(tag)));
  const [command = '', ...before] = commandFor(request.networkMode);
  return inScratch(storage, async (directory) => {
    const [context, idFile] = [join(directory, 'context'), join(directory, 'id')];
    await layContext(request.context, context, signal);
    const dockerfile = dockerfileIn(context, request.dockerfile || 'Dockerfile');
    const args = [
      ...before,
      ...argumentsFor(storage, request, references.map(fullText), { context, dockerfile, idFile }),
    ];
    const onLine = (line: string, from: 'stdout' | 'stderr') => {
      if (request.quiet) return;
      for (const told of from === 'stdout' ? outputLines(line) : errorLines(line)) progress(told);
    };
    await runChild({ command, args, env: storage.env, onLine, signal }).catch((error: unknown) => {
      throw error instanceof ChildError ? buildFailure(complaint(error.stderr), context, error) : error;
    });
    const id = readFileSync(idFile, 'utf8').trim();
    for (const line of request.quiet ? [{ stream: `${id}\n` }] : endLines(id, references.map(familiarText)))
      progress(line);
    return id;
  });
};
