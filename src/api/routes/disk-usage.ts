/** `GET /system/df`: how much images, containers and volumes take. */
import type { Engine } from '../../engine/contract.js';
import { invalid } from '../../errors.js';
import { isUp } from '../../model/container.js';
import type { Exchange } from '../http/exchange.js';
import { answers } from '../http/reply.js';
import { presentSummary } from '../present/container.js';
import { presentImageSummary } from '../present/image.js';
import { presentVolume } from '../present/volume.js';
import { flag } from '../read/query.js';
import type { Answer } from '../schema/answer.js';
import { sizesOf, viewContainer } from './views.js';

interface Part<Item> {
  readonly size: number;
  readonly active: boolean;
  readonly item: Item;
}

/** The fields of ContainersDiskUsage, ImagesDiskUsage and their like. */
const total = <Item>(parts: readonly Part<Item>[]) => {
  const sum = (some: readonly Part<Item>[]): number => some.reduce((bytes, part) => bytes + part.size, 0);
  return {
    ActiveCount: parts.filter((part) => part.active).length,
    TotalCount: parts.length,
    TotalSize: sum(parts),
    Reclaimable: sum(parts.filter((part) => !part.active)),
    Items: parts.map((part) => part.item),
  };
};

type Usage<Item> = ReturnType<typeof total<Item>>;

const containers = async (engine: Engine, minor: number): Promise<Usage<Answer<'ContainerSummary'>>> => {
  const now = Date.now();
  const parts: Part<Answer<'ContainerSummary'>>[] = [];
  for (const container of engine.containers.list()) {
    const sizes = await sizesOf(engine, container);
    parts.push({
      size: sizes.rw,
      active: isUp(container),
      item: presentSummary(viewContainer(engine, container, sizes), container.imageName, now, minor),
    });
  }
  return total(parts);
};

const images = (engine: Engine, minor: number): Usage<Answer<'ImageSummary'>> =>
  total(
    engine.images.list().map((image) => {
      const users = engine.containers.list().filter((container) => container.imageId === image.id).length;
      return {
        size: image.size,
        active: users > 0,
        item: { ...presentImageSummary(image, users, minor), Containers: users, SharedSize: 0 },
      };
    }),
  );

const volumes = async (engine: Engine): Promise<Usage<Answer<'Volume'>>> => {
  const parts: Part<Answer<'Volume'>>[] = [];
  for (const { name } of engine.volumes.list()) {
    const volume = engine.volumes.list().find((each) => each.name === name);
    if (!volume) continue; // removed while another was measured
    const size = await engine.volumes.size(name);
    const users = engine.volumes.usedBy(name).length;
    const item = presentVolume(volume, { Size: size, RefCount: users });
    parts.push({ size, active: users > 0, item });
  }
  return total(parts);
};

const TYPES = ['container', 'image', 'volume', 'build-cache'];

const diskUsage = async (exchange: Exchange): Promise<Answer<'SystemDataUsageResponse'>> => {
  const { engine, minor, query } = exchange;
  const asked = minor >= 42 && query.has('type') ? query.getAll('type') : TYPES;
  for (const type of asked) {
    if (!TYPES.includes(type)) throw invalid(`unknown object type: ${type.slice(0, 60)}`);
  }
  const parts = {
    container: asked.includes('container') ? await containers(engine, minor) : undefined,
    image: asked.includes('image') ? images(engine, minor) : undefined,
    volume: asked.includes('volume') ? await volumes(engine) : undefined,
    cache: asked.includes('build-cache') ? total<never>([]) : undefined,
  };
  const verbose = minor >= 52 && flag(exchange, 'verbose');
  const legacy: Partial<Answer<'SystemDataUsageResponse'>> = {
    LayersSize: parts.image?.TotalSize ?? 0,
    Images: parts.image?.Items ?? null,
    Containers: parts.container?.Items ?? null,
    Volumes: parts.volume?.Items ?? null,
    BuildCache: parts.cache?.Items ?? null,
  };
  const usage = <Item>(
    all: Usage<Item> | undefined,
  ): Usage<Item> | Omit<Usage<Item>, 'Items'> | undefined => {
    if (all === undefined || verbose) return all;
    const { Items: _, ...counts } = all;
    return counts;
  };
  const current: Answer<'SystemDataUsageResponse'> = {
    ImageUsage: usage(parts.image),
    ContainerUsage: usage(parts.container),
    VolumeUsage: usage(parts.volume),
    BuildCacheUsage: usage(parts.cache),
  };
  return {
    ...(verbose ? {} : legacy),
    ...(minor < 52 ? {} : current),
  };
};

export const DISK_USAGE_ROUTES = [answers('GET', '/system/df', diskUsage)];
