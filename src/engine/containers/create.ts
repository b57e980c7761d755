/** `docker create`: checks, a name, mounts, the merged command; a record on disk and nothing in the kernel yet. */
import { randomInt } from 'node:crypto';
import { existsSync } from 'node:fs';
import { isAbsolute, normalize } from 'node:path';
import { conflict, invalid, notFound } from '../../errors.js';
import type {
  Container,
  ContainerConfig,
  DockerMount,
  EndpointSettings,
  HostConfig,
  MountPoint,
} from '../../model/container.js';
import { type ContainerId, freshId, shortId } from '../../model/ids.js';
import type { Image } from '../../model/image.js';
import { canonicalSettings, checkSettings } from '../attachment.js';
import type { ContainerCreateRequest } from '../contract.js';
import { type Parts, timestamp } from '../parts.js';
import { exposedPorts } from '../publish.js';
import { mergeHealth } from './healthcheck.js';
import { parseLink } from './links.js';
import { signalNumber } from './signals.js';
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
export const mergeConfig = (
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

const destinationOf = (path: string): string => {
  if (!isAbsolute(path))
    throw invalid(`invalid mount config: invalid mount path: '${path}' mount path must be absolute`);
  const clean = normalize(path).replace(/(.)\/$/, '$1');
  if (clean === '/') throw invalid("invalid mount config: invalid specification: destination can't be '/'");
  return clean;
};

const PROPAGATIONS = ['private', 'rprivate', 'shared', 'rshared', 'slave', 'rslave'];

/** `source:destination[:options]` of `-v`. */
const bindMount = (parts: Parts, text: string): MountPoint => {
  const [source = '', target = '', options = '', ...rest] = text.split(':');
  if (target === '' || rest.length > 0)
    throw invalid(`invalid volume specification: '${text.slice(0, 256)}'`);
  const destination = destinationOf(target);
  const modes = options === '' ? [] : options.split(',');
  const unknown = modes.find(
    (m) =>
      !['ro', 'rw', 'z', 'Z', 'nocopy', 'cached', 'delegated', 'consistent', ...PROPAGATIONS].includes(m),
  );
  if (unknown !== undefined) throw invalid(`invalid mode: ${options.slice(0, 64)}`);
  const common = { destination, mode: options, rw: !modes.includes('ro'), options: '' };
  if (!isAbsolute(source)) return volumeMount(parts, source, common, {}, {}, 'local');
  const propagation = modes.find((m) => PROPAGATIONS.includes(m)) ?? 'rprivate';
  return { ...common, type: 'bind', name: '', source: normalize(source), propagation, driver: '' };
};

type Common = Pick<MountPoint, 'destination' | 'mode' | 'rw' | 'options'>;

const volumeMount = (
  parts: Parts,
  name: string,
  common: Common,
  labels: Readonly<Record<string, string>>,
  options: Readonly<Record<string, string>>,
  driver: string,
): MountPoint => {
  const volume = parts.volumes.create({ name, driver, options, labels });
  return {
    ...common,
    type: 'volume',
    name: volume.name,
    source: volume.mountpoint,
    propagation: '',
    driver: 'local',
  };
};

const structuredMount = (parts: Parts, mount: DockerMount): MountPoint => {
  const destination = destinationOf(mount.Target);
  const common = { destination, mode: '', rw: mount.ReadOnly !== true, options: '' };
  if (mount.Type === 'tmpfs') {
    const size = mount.TmpfsOptions?.SizeBytes;
    const mode = mount.TmpfsOptions?.Mode;
    const options = [...(size ? [`size=${size}`] : []), ...(mode ? [`mode=${mode.toString(8)}`] : [])].join(
      ',',
    );
    return { ...common, type: 'tmpfs', name: '', source: '', propagation: '', driver: '', options };
  }
  if (mount.Type === 'volume') {
    const { Labels = {}, DriverConfig = {} } = mount.VolumeOptions ?? {};
    return volumeMount(
      parts,
      mount.Source ?? '',
      common,
      Labels,
      DriverConfig.Options ?? {},
      DriverConfig.Name || 'local',
    );
  }
  const source = mount.Source ?? '';
  if (!isAbsolute(source))
    throw invalid(
      `invalid mount config for type "bind": invalid mount path: '${source}' mount path must be absolute`,
    );
  if (!existsSync(source) && mount.BindOptions?.CreateMountpoint !== true)
    throw invalid(`invalid mount config for type "bind": bind source path does not exist: ${source}`);
  const propagation = mount.BindOptions?.Propagation || 'rprivate';
  return { ...common, type: 'bind', name: '', source: normalize(source), propagation, driver: '' };
};

const tmpfsMount = ([path, options]: [string, string]): MountPoint => ({
  type: 'tmpfs',
  name: '',
  source: '',
  destination: destinationOf(path),
  mode: '',
  rw: !options.split(',').includes('ro'),
  propagation: '',
  driver: '',
  options,
});

const inheritedMounts = (parts: Parts, hostConfig: HostConfig): MountPoint[] =>
  (hostConfig.VolumesFrom ?? []).flatMap((text) => {
    const [name = '', mode = ''] = text.split(':', 2);
    const rw = mode !== 'ro';
    return parts.model.getContainer(name).mounts.map((m) => ({ ...m, rw: m.rw && rw }));
  });

/** Later ones win over earlier ones at one destination: inherited, image's, `--tmpfs`, `-v`, `--mount`. */
const resolveMounts = (
  parts: Parts,
  config: ContainerConfig,
  hostConfig: HostConfig,
): readonly MountPoint[] => {
  const explicit = [
    ...inheritedMounts(parts, hostConfig),
    ...Object.entries(hostConfig.Tmpfs ?? {}).map(tmpfsMount),
    ...(hostConfig.Binds ?? []).map((text) => bindMount(parts, text)),
    ...(hostConfig.Mounts ?? []).map((mount) => structuredMount(parts, mount)),
  ];
  const byDestination = new Map<string, MountPoint>();
  for (const mount of explicit) byDestination.set(mount.destination, mount);
  for (const path of Object.keys(config.Volumes ?? {})) {
    const destination = destinationOf(path);
    if (byDestination.has(destination)) continue;
    const common = { destination, mode: '', rw: true, options: '' };
    byDestination.set(destination, volumeMount(parts, '', common, {}, {}, 'local'));
  }
  return [...byDestination.values()].sort((a, b) => (a.destination < b.destination ? -1 : 1));
};

/** Volumes that were made for mounts of which a later one is refused are taken back. */
const withoutLeftovers = <T>(parts: Parts, work: () => T): T => {
  const known = new Set(parts.volumes.list().map((v) => v.name));
  try {
    return work();
  } catch (error) {
    for (const { name } of parts.volumes.list()) if (!known.has(name)) parts.volumes.remove(name, true);
    throw error;
  }
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

/** Not a 404: to clients that would mean that the image is missing, and they would pull it. */
const checkLinkSource = (parts: Parts, source: string): void => {
  if (!parts.model.findContainer(source))
    throw invalid(`could not get container for ${source}: No such container: ${source}`);
};

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
  for (const link of request.hostConfig.Links ?? []) checkLinkSource(parts, parseLink(link).source);
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
    mounts: withoutLeftovers(parts, () => resolveMounts(parts, config, request.hostConfig)),
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
    restartCount: 0,
    stoppedByUser: false,
    sandboxId: null,
    endpointIds: [],
  };
};

export const NEVER = '0001-01-01T00:00:00Z';

const withTag = (reference: string): string =>
  /[:@]/.test(reference.split('/').at(-1) ?? '') ? reference : `${reference}:latest`;
