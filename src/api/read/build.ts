/** The query and headers of `POST /build` → what a build needs. Every field of Docker's is done, refused, or told of. */
import * as z from 'zod';
import type { BuildRequest } from '../../engine/build/contract.js';
import { invalid, notImplemented } from '../../errors.js';
import type { RegistryAuth } from '../../images/contract.js';
import { joinReference } from '../../images/reference.js';
import type { HostConfig } from '../../model/container.js';
import type { Exchange } from '../http/exchange.js';
import { validateContainer } from '../validate/container.js';
import { authSchema } from './auth.js';
import { createSchema, hostConfigSchema } from './container.js';
import { decode, stringMap } from './decode.js';
import { flag, headerJson, integer, jsonParameter, text } from './query.js';

const buildArgsSchema = z.record(z.string(), z.string().nullable());
const namesSchema = z.array(z.string());

/** Throws invalid, and not-implemented for what only BuildKit or a fetch of remote contexts could do. */
const checkDoable = (exchange: Exchange): void => {
  const version = text(exchange, 'version');
  if (version === '2')
    throw notImplemented('BuildKit is not supported by this daemon: set DOCKER_BUILDKIT=0 and build again');
  if (version !== '' && version !== '1')
    throw invalid(`invalid version ${JSON.stringify(version.slice(0, 20))}`);
  const remote = text(exchange, 'remote');
  if (remote === 'client-session')
    throw invalid(
      'experimental session with v1 builder is no longer supported, use builder version v2 (BuildKit) instead',
    );
  if (remote !== '')
    throw notImplemented(
      'remote build contexts are not supported: clone the sources and build from the directory',
    );
  if (exchange.query.has('securityopt')) throw invalid('security options are not supported on linux');
  if (flag(exchange, 'squash')) throw invalid('squash is only supported with experimental mode');
  const isolation = text(exchange, 'isolation');
  if (!['', 'default'].includes(isolation))
    throw invalid(`unsupported isolation: ${JSON.stringify(isolation.slice(0, 40))}`);
  if (text(exchange, 'cgroupparent') !== '')
    throw notImplemented('a cgroup parent for builds is not supported: their containers are in the daemon’s');
  if (!['', '[]', 'null'].includes(text(exchange, 'outputs')))
    throw notImplemented('outputs are not supported by the classic builder');
};

const numbers = {
  Memory: 'memory',
  MemorySwap: 'memswap',
  CpuShares: 'cpushares',
  CpuPeriod: 'cpuperiod',
  CpuQuota: 'cpuquota',
  ShmSize: 'shmsize',
} as const;

/** The containers of RUN, with what `docker run` would take for the same. */
const readHostConfig = (exchange: Exchange): HostConfig => {
  const mode = text(exchange, 'networkmode');
  const limits = Object.entries(numbers).map(([field, name]) => [field, integer(exchange, name) ?? 0]);
  const decoded = decode(hostConfigSchema, {
    ...Object.fromEntries(limits),
    CpusetCpus: text(exchange, 'cpusetcpus'),
    CpusetMems: text(exchange, 'cpusetmems'),
    Ulimits: jsonParameter(exchange, 'ulimits', 'ulimit settings') ?? null,
    // the client of 1.24 joined them by commas
    ExtraHosts: exchange.query.getAll('extrahosts').flatMap((hosts) => hosts.split(',').filter(Boolean)),
    NetworkMode: mode === '' || mode === 'default' ? 'bridge' : mode,
  });
  const host: HostConfig = { ...decoded, PortBindings: {} };
  const { HostConfig: _host, NetworkingConfig: _networks, ...config } = decode(createSchema, {});
  validateContainer(config, host);
  return host;
};

/** `X-Registry-Config`: credentials by registry. Unreadable ones count as none, as in Docker. */
const readAuths = (exchange: Exchange): Readonly<Record<string, RegistryAuth>> => {
  const read = z.record(z.string(), authSchema).safeParse(headerJson(exchange, 'x-registry-config'));
  return read.success ? read.data : {};
};

/** Throws invalid, not-implemented. */
export const readBuild = (exchange: Exchange): BuildRequest => {
  checkDoable(exchange);
  const cacheFrom = jsonParameter(exchange, 'cachefrom', 'cache-from') ?? [];
  const sources = decode(namesSchema, cacheFrom);
  return {
    context: exchange.request,
    dockerfile: text(exchange, 'dockerfile') || 'Dockerfile',
    tags: exchange.query.getAll('t').filter((tag) => joinReference(tag, '') !== ''),
    buildArgs: decode(buildArgsSchema, jsonParameter(exchange, 'buildargs', 'build args') ?? {}),
    labels: decode(stringMap, jsonParameter(exchange, 'labels', 'labels') ?? {}),
    target: text(exchange, 'target'),
    noCache: flag(exchange, 'nocache'),
    cacheFrom: sources.length > 0 ? sources : undefined,
    pull: flag(exchange, 'pull'),
    platform: exchange.minor >= 32 ? text(exchange, 'platform') : '',
    keepContainers: !flag(exchange, 'rm', true) && !flag(exchange, 'forcerm'),
    hostConfig: readHostConfig(exchange),
    auths: readAuths(exchange),
  };
};
