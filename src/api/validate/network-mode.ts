/** What may not be combined with which network mode, in moby's order and words (runconfig/hostconfig*.go). */
import { invalid } from '../../errors.js';
import { type ContainerConfig, type HostConfig, joinedContainer } from '../../model/container.js';

const CLASSIC_MODES = ['default', 'bridge', 'host', 'none'];

export const isUserDefined = (mode: string): boolean =>
  !CLASSIC_MODES.includes(mode) && joinedContainer(mode) === undefined;

const any = (value: readonly unknown[] | object | null | undefined): boolean =>
  value !== null && value !== undefined && Object.keys(value).length > 0;

/** Throws invalid `conflicting options: …`. */
export const validateNetworkMode = (config: ContainerConfig, host: HostConfig): void => {
  if (host.NetworkMode === 'container' || joinedContainer(host.NetworkMode) !== undefined) {
    validateContainerMode(config, host);
  }
  if (host.UTSMode === 'host' && config.Hostname !== '') {
    throw invalid('conflicting options: hostname and the UTS mode');
  }
  if (host.NetworkMode === 'host' && any(host.Links)) {
    throw invalid(
      "conflicting options: host type networking can't be used with links. This would result in undefined behavior",
    );
  }
};

const validateContainerMode = (config: ContainerConfig, host: HostConfig): void => {
  const conflicts: readonly (readonly [boolean, string])[] = [
    [
      !joinedContainer(host.NetworkMode),
      'invalid network mode: invalid container format container:<name|id>',
    ],
    [config.Hostname !== '', 'conflicting options: hostname and the network mode'],
    [
      any(host.Links),
      "conflicting options: container type network can't be used with links. This would result in undefined behavior",
    ],
    [any(host.Dns), 'conflicting options: dns and the network mode'],
    [any(host.ExtraHosts), 'conflicting options: custom host-to-IP mapping and the network mode'],
    [
      any(host.PortBindings) || host.PublishAllPorts,
      'conflicting options: port publishing and the container type network mode',
    ],
    [any(config.ExposedPorts), 'conflicting options: port exposing and the container type network mode'],
  ];
  for (const [applies, message] of conflicts) if (applies) throw invalid(message);
};
