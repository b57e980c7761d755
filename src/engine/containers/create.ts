/** `docker create`: checks, a name, mounts, the merged command; a record on disk and nothing in the kernel yet. */
import { randomInt } from 'node:crypto';
import { conflict, invalid, notFound } from '../../errors.js';
import type { Container, ContainerConfig, EndpointSettings, HostConfig } from '../../model/container.js';
import { type ContainerId, freshId, shortId } from '../../model/ids.js';
import type { Image } from '../../model/image.js';
import { canonicalSettings, checkSettings } from '../attach/endpoint.js';
import { resolveLinks } from '../attach/links.js';
import { exposedPorts } from '../attach/publish.js';
import type { ContainerCreateRequest } from '../contract.js';
import { type Parts, timestamp } from '../parts.js';
import { mergeHealth } from './healthcheck.js';
import { designMounts } from './mount-points.js';
import { signalNumber } from './signals.js';
import { NEVER } from './state.js';
import { ADJECTIVES, NOUNS } from './words.js';

export const NO_SETTINGS: EndpointSettings = {
  linkLocal: [],
  mac: '',
  aliases: [],
  links: [],
  driverOptions: {},
  gwPriority: 0,
};

const NAME = /^[a-zA-Z0-9][a-zA-Z0-9_.-]+$/;

export const checkContainerName = (parts: Parts, asked: string): string => {
  const name = asked.replace(/^\//, '');
  if (name.length > 255 || !NAME.test(name))
    throw invalid(
      `Invalid container name (${asked.slice(0, 255)}), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed`,
    );
  const holder = parts.model.containerNamed(name);
  if (holder)
    throw conflict(
      `Conflict. The container name "/${name}" is already in use by container "${holder.id}". You have to remove (or rename) that container to be able to reuse that name.`,
    );
  return name;
};

const randomName = (parts: Parts): string => {
  for (let attempt = 0; ; attempt += 1) {
    const name = `${ADJECTIVES[randomInt(ADJECTIVES.length)]}_${NOUNS[randomInt(NOUNS.length)]}${attempt > 5 ? randomInt(1000) : ''}`;
    if (!parts.model.containerNamed(name)) return name;
  }
};

/** Image and user's configuration merged as Docker merges them: the user's entrypoint drops the image's command. */
const mergeConfig = (
  config: ContainerConfig,
  image: Image,
  id: ContainerId,
  hostConfig: HostConfig,
): ContainerConfig => {
  const given = new Set(config.Env.map((e) => e.split('=', 1)[0]));
  const inherited = image.config.Env.filter((e) => !given.has(e.split('=', 1)[0]));
  // `--entrypoint ''` sends one empty word: the image's is dropped and nothing takes its place.
  const reset = config.Entrypoint?.length === 1 && config.Entrypoint[0] === '';
  const entrypoint = config.Entrypoint === null ? image.config.Entrypoint : reset ? null : config.Entrypoint;
  const command = config.Cmd === null && config.Entrypoint === null ? image.config.Cmd : config.Cmd;
  const health = mergeHealth(config.Healthcheck, image.config.Healthcheck);
  const usesHostName = hostConfig.NetworkMode === 'host' || hostConfig.UTSMode === 'host';
  return {
    ...config,
    Env: [...inherited, ...config.Env],
    Cmd: command,
    Entrypoint: entrypoint,
    Hostname: config.Hostname || (usesHostName ? '' : shortId(id)),
    User: config.User || image.config.User,
    WorkingDir: config.WorkingDir || image.config.WorkingDir,
    Labels: { ...image.config.Labels, ...config.Labels },
    ExposedPorts: { ...image.config.ExposedPorts, ...config.ExposedPorts },
    Volumes: { ...image.config.Volumes, ...config.Volumes },
    ...(health ? { Healthcheck: health } : {}),
    ...(config.StopSignal || image.config.StopSignal
      ? { StopSignal: config.StopSignal || image.config.StopSignal }
      : {}),
  };
};

const SHARED = 'container:';

/** `container:name` becomes `container:id`, so that a rename of the other parts nobody. An unknown one stays as written. */
const byId = (parts: Parts, mode: string): string => {
  const other = mode.startsWith(SHARED) ? parts.model.findContainer(mode.slice(SHARED.length)) : undefined;
  return other ? `${SHARED}${other.id}` : mode;
};

const withSharedById = (parts: Parts, hostConfig: HostConfig): HostConfig => ({
  ...hostConfig,
  NetworkMode: byId(parts, hostConfig.NetworkMode),
  ...(hostConfig.PidMode ? { PidMode: byId(parts, hostConfig.PidMode) } : {}),
  ...(hostConfig.IpcMode ? { IpcMode: byId(parts, hostConfig.IpcMode) } : {}),
});

/**
 * The networks of a new container: what NetworkMode names first, then the others the user gave, in the user's order. The
 * default network is for those alone who name none: a mode that only says `default` adds nothing to what was named.
 */
const resolveNetworks = (parts: Parts, request: ContainerCreateRequest): Container['networks'] => {
  const mode = request.hostConfig.NetworkMode;
  if (mode.startsWith(SHARED)) return []; // that the other container is there and runs is looked at when this one starts
  const given = request.networks.map(({ network, settings }) => ({
    name: network === 'default' ? 'bridge' : network,
    settings: canonicalSettings(settings),
  }));
  const primary = mode === 'default' || mode === '' ? 'bridge' : mode;
  const named = given.length > 0 && (primary === 'bridge' || same(parts, given, primary));
  const names = named ? given : [{ name: primary, settings: NO_SETTINGS }, ...given];
  const seen = new Set<string>();
  return names.flatMap(({ name, settings }) => {
    const found = parts.model.findNetwork(name);
    if (found) checkSettings(found, settings, parts.drivers.get(found.driver)); // one that is made later is checked at the start
    const key = found?.id ?? name;
    if (seen.has(key)) return [];
    seen.add(key);
    return [{ networkId: found?.id ?? '', name: found?.name ?? name, settings }];
  });
};

const same = (parts: Parts, given: readonly { name: string }[], primary: string): boolean => {
  const id = parts.model.findNetwork(primary)?.id;
  return given.some(
    ({ name }) => name === primary || (id !== undefined && parts.model.findNetwork(name)?.id === id),
  );
};

/** What a user should know of a container that is made all the same; in moby's words. */
export const warningsOf = (parts: Parts, { hostConfig }: Container): readonly string[] => [
  ...(hostConfig.NetworkMode === 'host' && Object.keys(hostConfig.PortBindings).length > 0
    ? ['Published ports are discarded when using host network mode']
    : []),
  ...(parts.facts.forwardsIpv4() ? [] : ['IPv4 forwarding is disabled. Networking will not work.']),
];

export const designContainer = (parts: Parts, request: ContainerCreateRequest): Container => {
  const image = parts.images.find(request.config.Image);
  if (!image) throw notFound(`No such image: ${withTag(request.config.Image)}`);
  const id = freshId<ContainerId>();
  const name = request.name === '' ? randomName(parts) : checkContainerName(parts, request.name);
  const config = mergeConfig(request.config, image, id, request.hostConfig);
  const args = [...(config.Entrypoint ?? []), ...(config.Cmd ?? [])];
  if (args.length === 0 || args[0] === '') throw invalid('no command specified');
  exposedPorts(config, request.hostConfig);
  if (config.StopSignal) signalNumber(config.StopSignal);
  const links = resolveLinks(request.hostConfig, (reference) => parts.model.findContainer(reference));
  const networks = resolveNetworks(parts, request); // before the mounts: those may make volumes
  return {
    id,
    name,
    createdAt: timestamp(),
    imageId: image.id,
    imageName: request.config.Image,
    config,
    hostConfig: withSharedById(parts, request.hostConfig),
    networks,
    ...(links && links.length > 0 ? { links } : {}),
    mounts: designMounts(parts, config, request.hostConfig),
    args,
    state: {
      status: 'created',
      pid: 0,
      exitCode: 0,
      error: '',
      oomKilled: false,
      startedAt: NEVER,
      finishedAt: NEVER,
    },
    ...(request.step ? { step: true } : {}),
    restartCount: 0,
    stoppedByUser: false,
    sandboxId: null,
    endpointIds: [],
  };
};

const withTag = (reference: string): string =>
  /[:@]/.test(reference.split('/').at(-1) ?? '') ? reference : `${reference}:latest`;
