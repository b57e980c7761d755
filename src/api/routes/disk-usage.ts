/** `GET /system/df`: how much images, containers and volumes take. */
import type { Engine } from '../../engine/contract.js';
import { invalid } from '../../errors.js';
import type { Exchange } from '../http/exchange.js';
import { sendJson } from '../http/reply.js';
import { route } from '../http/router.js';
import { presentSummary } from '../present/container.js';
import { presentImageSummary } from '../present/image.js';
import { presentVolume } from '../present/volume.js';
import { flag } from '../read/query.js';
import { sizesOf, viewContainer } from './views.js';

interface Usage {
  readonly ActiveCount: number;
  readonly TotalCount: number;
  readonly TotalSize: number;
  readonly Reclaimable: number;
  readonly Items: readonly Record<string, unknown>[];
}

interface Part {
  readonly size: number;
  readonly active: boolean;
  readonly item: Record<string, unknown>;
}

function total(parts: readonly Part[]): Usage {
  const sum = (some: readonly Part[]): number => some.reduce((bytes, part) => bytes + part.size, 0);
  return {
    ActiveCount: parts.filter((part) => part.active).length,
    TotalCount: parts.length,
    TotalSize: sum(parts),
    Reclaimable: sum(parts.filter((part) => !part.active)),
    Items: parts.map((part) => part.item),
  };
}

async function containers(engine: Engine, minor: number): Promise<Usage> {
  const now = Date.now();
  const parts: Part[] = [];
  for (const container of engine.containers.list()) {
    const sizes = await sizesOf(engine, container);
    parts.push({
      size: sizes.rw,
      active: ['running', 'paused', 'restarting'].includes(container.state.status),
      item: presentSummary(viewContainer(engine, container, sizes), container.imageName, now, minor),
    });
  }
  return total(parts);
}

function images(engine: Engine, minor: number): Usage {
  return total(
    engine.images.list().map((image) => {
      const users = engine.containers.list().filter((container) => container.imageId === image.id).length;
      return {
        size: image.size,
        active: users > 0,
        item: { ...presentImageSummary(image, users, minor), Containers: users, SharedSize: 0 },
      };
    }),
  );
}

async function volumes(engine: Engine): Promise<Usage> {
  const parts: Part[] = [];
  for (const { name } of engine.volumes.list()) {
    const volume = engine.volumes.list().find((each) => each.name === name);
    if (!volume) continue; // removed while another was measured
    const size = await engine.volumes.size(name);
    const users = engine.volumes.usedBy(name).length;
    const item = { ...presentVolume(volume), UsageData: { Size: size, RefCount: users } };
    parts.push({ size, active: users > 0, item });
  }
  return total(parts);
}

const TYPES = ['container', 'image', 'volume', 'build-cache'];

async function diskUsage(exchange: Exchange): Promise<void> {
  const { engine, minor, query } = exchange;
  const asked = minor >= 42 && query.has('type') ? query.getAll('type') : TYPES;
  for (const type of asked) {
    if (!TYPES.includes(type)) throw invalid(`unknown object type: ${type.slice(0, 60)}`);
  }
  const empty = total([]);
  const parts = {
    container: asked.includes('container') ? await containers(engine, minor) : undefined,
    image: asked.includes('image') ? images(engine, minor) : undefined,
    volume: asked.includes('volume') ? await volumes(engine) : undefined,
    cache: asked.includes('build-cache') ? empty : undefined,
  };
  const verbose = minor >= 52 && flag(exchange, 'verbose');
  const legacy = {
    LayersSize: parts.image?.TotalSize ?? 0,
    Images: parts.image?.Items ?? null,
    Containers: parts.container?.Items ?? null,
    Volumes: parts.volume?.Items ?? null,
    BuildCache: parts.cache?.Items ?? null,
  };
  const withItems = (usage: Usage | undefined): object | undefined => {
    if (usage === undefined || verbose) return usage;
    const { Items: _, ...counts } = usage;
    return counts;
  };
  const current = {
    ImageUsage: withItems(parts.image),
    ContainerUsage: withItems(parts.container),
    VolumeUsage: withItems(parts.volume),
    BuildCacheUsage: withItems(parts.cache),
  };
  sendJson(exchange, 200, { ...(verbose ? {} : legacy), ...(minor < 52 ? {} : current) });
}

export const DISK_USAGE_ROUTES = [route('GET', '/system/df', diskUsage)];
