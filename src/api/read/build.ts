/** The query of `POST /build` → what a build needs. */
import * as z from 'zod';
import { invalid, notImplemented } from '../../errors.js';
import type { BuildRequest } from '../../images/contract.js';
import type { Exchange } from '../http/exchange.js';
import { joinReference } from '../validate/reference.js';
import { decode, stringMap } from './decode.js';
import { flag, jsonParameter, text } from './query.js';

const buildArgsSchema = z.record(z.string(), z.string().nullable());

/** Throws invalid, and not-implemented for what only BuildKit or a fetch of remote contexts could do. */
export function readBuild(exchange: Exchange): BuildRequest {
  const version = text(exchange, 'version');
  if (version === '2') {
    throw notImplemented('BuildKit is not supported by this daemon: set DOCKER_BUILDKIT=0 and build again');
  }
  if (version !== '' && version !== '1')
    throw invalid(`invalid version ${JSON.stringify(version.slice(0, 20))}`);
  const remote = text(exchange, 'remote');
  if (remote !== '' && remote !== 'client-session') {
    throw notImplemented(
      'remote build contexts are not supported: clone the sources and build from the directory',
    );
  }
  if (exchange.query.has('securityopt')) throw invalid('security options are not supported on linux');
  if (flag(exchange, 'squash')) throw invalid('squash is only supported with experimental mode');
  return {
    context: exchange.request,
    dockerfile: text(exchange, 'dockerfile') || 'Dockerfile',
    tags: exchange.query.getAll('t').filter((tag) => joinReference(tag, '') !== ''),
    buildArgs: decode(buildArgsSchema, jsonParameter(exchange, 'buildargs', 'build args') ?? {}),
    labels: decode(stringMap, jsonParameter(exchange, 'labels', 'labels') ?? {}),
    target: text(exchange, 'target'),
    noCache: flag(exchange, 'nocache'),
    pull: flag(exchange, 'pull'),
    quiet: flag(exchange, 'q'),
    networkMode: text(exchange, 'networkmode') || 'default',
    extraHosts: exchange.query.getAll('extrahosts').flatMap((hosts) => hosts.split(',').filter(Boolean)),
  };
}
