/** `docker create`: checks, a name, the merged command. Pure; its mounts come later, for they may make volumes. */
import { conflict, invalid } from '../../errors.js';
import {
  type Container,
  type ContainerConfig,
  type HostConfig,
  joinedContainer,
  NEVER,
  NO_SETTINGS,
} from '../../model/container.js';
import { type ContainerId, shortId } from '../../model/ids.js';
import type { Image } from '../../model/image.js';
import { madeUpName } from '../../model/name-words.js';
import { resolveLinks } from '../attach/links.js';
import { exposedPorts } from '../attach/publish.js';
import { canonicalSettings, checkSettings } from '../attach/settings.js';
import type { ContainerCreateRequest } from '../contract.js';
import { type Fresh, idFor } from '../decision.js';
import type { View } from '../view.js';
import { mergeHealth } from './healthcheck.js';
import { signalNumber } from './signals.js';

const NAME = /^[a-zA-Z0-9][a-zA-Z0-9_.-]+$/;

export const checkContainerName = (view: View, asked: string): string => {
  const name = asked.replace(/^\//, '');
  if (name.length > 255 || !NAME.test(name))
    throw invalid(
      `Invalid container name (${asked.slice(0, 255)}), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed`,
    );
  const holder = view.model.containerNamed(name);
  if (holder)
    throw conflict(
      `Conflict. The container name "/${name}" is already in use by container "${holder.id}". You have to remove (or rename) that container to be able to reuse that name.`,
    );
  return name;
};

const freeName = (view: View, fresh: Fresh): string => {
  for (let attempt = 0; ; attempt += 1) {
    const digits = idFor<string>(fresh, `name ${attempt}`);
    const number = (at: number): number => Number.parseInt(digits.slice(at, at + 8), 16);
    const name = `${madeUpName(number(0), number(8))}${attempt > 5 ? number(16) % 1000 : ''}`;
    if (!view.model.containerNamed(name)) return name;
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

/** `container:name` becomes `container:id`, so that a rename of the other view nobody. An unknown one stays as written. */
const byId = (view: View, mode: string): string => {
  const named = joinedContainer(mode);
  const other = named === undefined ? undefined : view.model.findContainer(named);
  return other ? `container:${other.id}` : mode;
};

const withSharedById = (view: View, hostConfig: HostConfig): HostConfig => ({
  ...hostConfig,
  NetworkMode: byId(view, hostConfig.NetworkMode),
  ...(hostConfig.PidMode ? { PidMode: byId(view, hostConfig.PidMode) } : {}),
  ...(hostConfig.IpcMode ? { IpcMode: byId(view, hostConfig.IpcMode) } : {}),
});

/**
 * The networks of a new container: what NetworkMode names first, then the others the user gave, in the user's order. The
 * default network is for those alone who name none: a mode that only says `default` adds nothing to what was named.
 */
const resolveNetworks = (view: View, request: ContainerCreateRequest): Container['networks'] => {
  const mode = request.hostConfig.NetworkMode;
  if (joinedContainer(mode) !== undefined) return []; // that the other container is there and runs is looked at when this one starts
  const given = request.networks.map(({ network, settings }) => ({
    name: network === 'default' ? 'bridge' : network,
    settings: canonicalSettings(settings),
  }));
  const primary = mode === 'default' || mode === '' ? 'bridge' : mode;
  const named = given.length > 0 && (primary === 'bridge' || same(view, given, primary));
  const names = named ? given : [{ name: primary, settings: NO_SETTINGS }, ...given];
  const seen = new Set<string>();
  return names.flatMap(({ name, settings }) => {
    const found = view.model.findNetwork(name);
    if (found) checkSettings(found, settings, view.drivers.get(found.driver)); // one that is made later is checked at the start
    const key = found?.id ?? name;
    if (seen.has(key)) return [];
    seen.add(key);
    return [{ networkId: found?.id ?? '', name: found?.name ?? name, settings }];
  });
};

const same = (view: View, given: readonly { name: string }[], primary: string): boolean => {
  const id = view.model.findNetwork(primary)?.id;
  return given.some(
    ({ name }) => name === primary || (id !== undefined && view.model.findNetwork(name)?.id === id),
  );
};

/** Of Docker's log drivers, whether it is done as asked; where it is not, the log is a file all the same. */
const LOG_DRIVERS: Readonly<Record<string, boolean>> = {
  ...{ '': true, 'json-file': true, local: true, none: true },
  ...{ syslog: false, journald: false, gelf: false, fluentd: false },
  ...{ awslogs: false, splunk: false, etwlogs: false, gcplogs: false },
};

const logDriverOf = ({ LogConfig }: HostConfig): string => LogConfig?.Type ?? '';

const checkLogDriver = (hostConfig: HostConfig): void => {
  const driver = logDriverOf(hostConfig);
  if (!Object.hasOwn(LOG_DRIVERS, driver))
    throw invalid(`logger: no log driver named '${driver.slice(0, 60)}' is registered`);
};

/** What a user should know of a container that is made all the same; where moby says it, in its words. */
export const warningsOf = (view: View, { hostConfig }: Container): readonly string[] => [
  ...(LOG_DRIVERS[logDriverOf(hostConfig)]
    ? []
    : [
        `The log driver ${logDriverOf(hostConfig)} is not supported: the log is kept in a file, for docker logs.`,
      ]),
  ...(hostConfig.NetworkMode === 'host' && Object.keys(hostConfig.PortBindings).length > 0
    ? ['Published ports are discarded when using host network mode']
    : []),
  ...(view.facts.forwardsIpv4() ? [] : ['IPv4 forwarding is disabled. Networking will not work.']),
];

export const designContainer = (
  view: View,
  fresh: Fresh,
  request: ContainerCreateRequest,
  image: Image,
): Container => {
  const id = fresh.id as ContainerId; // nobody else was given it
  const name = request.name === '' ? freeName(view, fresh) : checkContainerName(view, request.name);
  const config = mergeConfig(request.config, image, id, request.hostConfig);
  const args = [...(config.Entrypoint ?? []), ...(config.Cmd ?? [])];
  if (args.length === 0 || args[0] === '') throw invalid('no command specified');
  exposedPorts(config, request.hostConfig);
  checkLogDriver(request.hostConfig);
  if (config.StopSignal) signalNumber(config.StopSignal);
  const links = resolveLinks(request.hostConfig, (reference) => view.model.findContainer(reference));
  return {
    id,
    name,
    createdAt: fresh.now,
    imageId: image.id,
    imageName: request.config.Image,
    config,
    hostConfig: withSharedById(view, request.hostConfig),
    networks: resolveNetworks(view, request),
    ...(links && links.length > 0 ? { links } : {}),
    mounts: [],
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
    ...(request.task === undefined ? {} : { task: request.task }),
    restartCount: 0,
    stoppedByUser: false,
    sandboxId: null,
    endpointIds: [],
  };
};
