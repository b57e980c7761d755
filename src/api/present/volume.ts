/** Volumes as `volume ls` and `volume inspect` show them. Pure. */
import type { Volume } from '../../model/volume.js';

const nullWhereEmpty = <T extends object>(value: T): T | null =>
  Object.keys(value).length === 0 ? null : value;

export const presentVolume = (volume: Volume): Record<string, unknown> => ({
  CreatedAt: volume.createdAt,
  Driver: volume.driver,
  Labels: nullWhereEmpty(volume.labels),
  Mountpoint: volume.mountpoint,
  Name: volume.name,
  Options: nullWhereEmpty(volume.options),
  Scope: 'local',
});
