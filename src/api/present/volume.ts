/** Volumes as `volume ls` and `volume inspect` show them. Pure. */
import type { Volume } from '../../model/volume.js';
import type { Answer } from '../schema/answer.js';
import { nullWhereEmpty } from './null.js';

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
