/** Volumes as `volume ls` and `volume inspect` show them. Pure. */
import type { Volume } from '../../model/volume.js';
import type { Answer } from '../schema/answer.js';

const nullWhereEmpty = <T extends object>(value: T): T | null =>
  Object.keys(value).length === 0 ? null : value;

export const presentVolume = (
  volume: Volume,
  usage?: { readonly Size: number; readonly RefCount: number },
): Answer<'Volume'> => ({
  CreatedAt: volume.createdAt,
  Driver: volume.driver,
  Labels: nullWhereEmpty(volume.labels),
  Mountpoint: volume.mountpoint,
  Name: volume.name,
  Options: nullWhereEmpty(volume.options),
  Scope: 'local',
  UsageData: usage,
});
