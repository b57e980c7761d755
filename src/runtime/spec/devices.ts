/** Device rules and nodes: Docker's default allow-list, `--device`, or everything for a privileged container. */
import type { OciDevice, OciDeviceRule } from './oci.js';

const character = (major: number, minor: number): OciDeviceRule => ({
  allow: true,
  type: 'c',
  major,
  minor,
  access: 'rwm',
});

/** zero, null, urandom, random, full, tty, console, ptmx and the container's own terminals. */
const DEFAULT_RULES: readonly OciDeviceRule[] = [
  { allow: false, access: 'rwm' },
  { allow: true, type: 'c', access: 'm' },
  { allow: true, type: 'b', access: 'm' },
  character(1, 5),
  character(1, 3),
  character(1, 9),
  character(1, 8),
  character(1, 7),
  character(5, 0),
  character(5, 1),
  character(5, 2),
  { allow: true, type: 'c', major: 136, access: 'rwm' },
];

/** A device node of the host as asked for, already looked up. */
export interface RequestedDevice {
  readonly device: OciDevice;
  /** of `rwm` */
  readonly access: string;
}

export const deviceRules = (
  privileged: boolean,
  requested: readonly RequestedDevice[],
): readonly OciDeviceRule[] =>
  privileged
    ? [{ allow: true, access: 'rwm' }]
    : [
        ...DEFAULT_RULES,
        ...requested.map(({ device, access }) => ({
          allow: true,
          type: device.type,
          major: device.major,
          minor: device.minor,
          access,
        })),
      ];
