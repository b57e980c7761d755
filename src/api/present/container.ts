/** A container as `inspect` and `ps` show it. Pure: whatever is shown arrives in the view. */
import type { Container, MountPoint } from '../../model/container.js';
import type { Endpoint, Sandbox } from '../../model/endpoint.js';
import { milliseconds } from '../read/time.js';
import type { Answer } from '../schema/answer.js';
import { type Attachment, presentEndpoint, presentEndpointSummary } from './endpoint.js';
import { presentHostConfig } from './host-config.js';
import { presentPortMap, presentPortSummaries } from './ports.js';
import { presentState, presentStatus } from './state.js';

export interface ContainerView {
  readonly container: Container;
  readonly attachments: readonly Attachment[];
  /** those whose network has ports of its own: not host, not none */
  readonly endpoints: readonly Endpoint[];
  readonly sandbox?: Sandbox;
  /** `client/alias`, where `client` links to it; for lists */
  readonly linkNames?: readonly string[];
  /** bytes written, and bytes of image and writable layer together; only where asked for */
  readonly sizes?: { readonly rw: number; readonly rootFs: number };
}

export interface InspectView extends ContainerView {
  readonly paths: { hosts: string; resolvConf: string; hostname: string; log: string };
  readonly execIds: readonly string[];
  /** name of the runtime that containers get */
  readonly runtime: string;
  nameOf(reference: string): string;
}

/** `GET /containers/{id}/json`; the top-level addresses of old API versions are kept for every version. */
export const presentInspect = (view: InspectView, minor: number): Answer<'ContainerInspectResponse'> => {
  const { container, paths } = view;
  return {
    Id: container.id,
    Created: container.createdAt,
    Path: container.args[0] ?? '',
    Args: container.args.slice(1),
    State: presentState(container.state),
    Image: container.imageId,
    ResolvConfPath: paths.resolvConf,
    HostnamePath: paths.hostname,
    HostsPath: paths.hosts,
    LogPath: paths.log,
    Name: `/${container.name}`,
    RestartCount: container.restartCount,
    Driver: 'overlay2',
    Platform: 'linux',
    MountLabel: '',
    ProcessLabel: '',
    AppArmorProfile: '',
    ExecIDs: view.execIds.length === 0 ? null : view.execIds,
    HostConfig: presentHostConfig(container.hostConfig, {
      name: container.name,
      ...(container.links === undefined ? {} : { links: container.links }),
      runtime: view.runtime,
      nameOf: (reference) => view.nameOf(reference),
    }),
    GraphDriver: { Name: 'overlay2', Data: null },
    SizeRw: view.sizes?.rw,
    SizeRootFs: view.sizes?.rootFs,
    Mounts: container.mounts.map(presentMount),
    Config: presentConfig(container, minor),
    NetworkSettings: presentNetworkSettings(view, minor),
  };
};

const presentConfig = (container: Container, minor: number): Answer<'ContainerConfig'> => {
  const { config, networks, hostConfig } = container;
  const mac = networks.find(({ name }) => name === hostConfig.NetworkMode)?.settings.mac ?? '';
  return {
    ...config,
    OnBuild: null,
    Volumes:
      config.Volumes === undefined || Object.keys(config.Volumes ?? {}).length === 0 ? null : config.Volumes,
    MacAddress: mac === '' || minor >= 52 ? undefined : mac,
  };
};

const presentNetworkSettings = (view: ContainerView, minor: number): Answer<'NetworkSettings'> => {
  const { container, sandbox } = view;
  const owner = { id: container.id, hostname: container.config.Hostname };
  const networks = Object.fromEntries(
    view.attachments.map((attachment) => [attachment.name, presentEndpoint(attachment, owner, minor)]),
  );
  const { bridge } = networks;
  return {
    Bridge: '',
    SandboxID: sandbox?.id ?? '',
    SandboxKey: sandbox?.netns ?? '',
    Ports: presentPortMap(view.endpoints),
    HairpinMode: false,
    LinkLocalIPv6Address: '',
    LinkLocalIPv6PrefixLen: 0,
    SecondaryIPAddresses: null,
    SecondaryIPv6Addresses: null,
    EndpointID: bridge?.EndpointID ?? '',
    Gateway: bridge?.Gateway ?? '',
    GlobalIPv6Address: bridge?.GlobalIPv6Address ?? '',
    GlobalIPv6PrefixLen: bridge?.GlobalIPv6PrefixLen ?? 0,
    IPAddress: bridge?.IPAddress ?? '',
    IPPrefixLen: bridge?.IPPrefixLen ?? 0,
    IPv6Gateway: bridge?.IPv6Gateway ?? '',
    MacAddress: bridge?.MacAddress ?? '',
    Networks: networks,
  };
};

const presentMount = (mount: MountPoint): Answer<'MountPoint'> => ({
  Type: mount.type,
  Name: mount.name || undefined,
  Source: mount.source,
  Destination: mount.destination,
  Driver: mount.driver || undefined,
  Mode: mount.mode,
  RW: mount.rw,
  Propagation: mount.propagation,
});

const quote = (word: string): string => (word.includes(' ') ? `'${word}'` : word);

/** One row of `GET /containers/json`. `image`: the name to show; `now` in milliseconds. */
export const presentSummary = (
  view: ContainerView,
  image: string,
  now: number,
  minor: number,
): Answer<'ContainerSummary'> => {
  const { container } = view;
  return {
    Id: container.id,
    Names: [container.name, ...(view.linkNames ?? [])].map((name) => `/${name}`),
    Image: image,
    ImageID: container.imageId,
    Command: [container.args[0] ?? '', ...container.args.slice(1).map(quote)].join(' '),
    Created: Math.floor(milliseconds(container.createdAt) / 1000),
    Ports: presentPortSummaries(view.endpoints),
    SizeRw: view.sizes?.rw,
    SizeRootFs: view.sizes?.rootFs,
    Labels: container.config.Labels,
    State: container.state.status,
    Status: presentStatus(container.state, now),
    HostConfig: { NetworkMode: container.hostConfig.NetworkMode },
    Health:
      minor < 52
        ? undefined
        : {
            Status: container.state.health?.status ?? 'none',
            FailingStreak: container.state.health?.failingStreak ?? 0,
          },
    NetworkSettings: {
      Networks: Object.fromEntries(
        view.attachments.map((attachment) => [attachment.name, presentEndpointSummary(attachment)]),
      ),
    },
    Mounts: container.mounts.map(presentMount),
  };
};
