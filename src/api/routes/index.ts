/** Every route of the API. Order matters only between patterns that match the same path. */
import type { Route } from '../http/router.js';
import { ABSENT_ROUTES } from './absent.js';
import { ARCHIVE_ROUTES } from './archive.js';
import { BLOB_ROUTES } from './blobs.js';
import { BUILD_ROUTES } from './build.js';
import { CONTAINER_LIST_ROUTES } from './container-list.js';
import { CONTAINER_STREAM_ROUTES } from './container-streams.js';
import { CONTAINER_ROUTES } from './containers.js';
import { DISK_USAGE_ROUTES } from './disk-usage.js';
import { EVENT_ROUTES } from './events.js';
import { EXEC_ROUTES } from './execs.js';
import { IMAGE_ROUTES } from './images.js';
import { LOG_ROUTES } from './logs.js';
import { NETWORK_ROUTES } from './networks.js';
import { NODE_ROUTES } from './nodes.js';
import { SEEING_ROUTES } from './seeing.js';
import { SERVICE_ROUTES } from './services.js';
import { SWARM_ROUTES } from './swarm.js';
import { SYSTEM_ROUTES } from './system.js';
import { TASK_ROUTES } from './tasks.js';
import { VOLUME_ROUTES } from './volumes.js';

export const ROUTES: readonly Route[] = [
  ...SYSTEM_ROUTES,
  ...SEEING_ROUTES,
  ...DISK_USAGE_ROUTES,
  ...EVENT_ROUTES,
  ...NETWORK_ROUTES,
  ...CONTAINER_LIST_ROUTES,
  ...CONTAINER_STREAM_ROUTES,
  ...LOG_ROUTES,
  ...EXEC_ROUTES,
  ...ARCHIVE_ROUTES,
  ...CONTAINER_ROUTES,
  ...IMAGE_ROUTES,
  ...BUILD_ROUTES,
  ...VOLUME_ROUTES,
  ...SWARM_ROUTES,
  ...NODE_ROUTES,
  ...SERVICE_ROUTES,
  ...TASK_ROUTES,
  ...BLOB_ROUTES,
  ...ABSENT_ROUTES,
];
