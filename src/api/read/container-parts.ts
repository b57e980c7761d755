/** Parts of a request that containers and the tasks of services have alike. Spans of time in nanoseconds. */
import * as z from 'zod';
import { fields } from '../../go-fields.js';
import { boolean, integer, string, stringMap, strings } from './decode.js';

export const healthcheckSchema = fields({
  Test: strings.exactOptional(),
  Interval: integer.exactOptional(),
  Timeout: integer.exactOptional(),
  StartPeriod: integer.exactOptional(),
  StartInterval: integer.exactOptional(),
  Retries: integer.exactOptional(),
});

export const ulimitSchema = fields({
  Name: string.default(''),
  Soft: integer.default(0),
  Hard: integer.default(0),
});

export const mountType = z.enum(
  ['bind', 'volume', 'tmpfs'],
  'mounts are binds, volumes and tmpfs here: copy what you need of an image into a volume',
);

/** An entry of `Mounts` without its type, which only a service may leave out. */
export const MOUNT = {
  Source: string.exactOptional(),
  Target: string.default(''),
  ReadOnly: boolean.exactOptional(),
  BindOptions: fields({
    Propagation: string.exactOptional(),
    CreateMountpoint: boolean.exactOptional(),
    NonRecursive: boolean.exactOptional(),
    ReadOnlyNonRecursive: boolean.exactOptional(),
    ReadOnlyForceRecursive: boolean.exactOptional(),
  }).exactOptional(),
  VolumeOptions: fields({
    NoCopy: boolean.exactOptional(),
    Subpath: string.exactOptional(),
    Labels: stringMap.exactOptional(),
    DriverConfig: fields({
      Name: string.exactOptional(),
      Options: stringMap.exactOptional(),
    }).exactOptional(),
  }).exactOptional(),
  TmpfsOptions: fields({
    SizeBytes: integer.exactOptional(),
    Mode: integer.exactOptional(),
    Options: z.array(strings).exactOptional(),
  }).exactOptional(),
};
