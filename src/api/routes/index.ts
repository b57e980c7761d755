/** Every route of the API. */
import type { Route } from '../http/router.js';
import { CONTAINER_LIST_ROUTES } from './container-list.js';
import { CONTAINER_ROUTES } from './containers.js';
import { NETWORK_ROUTES } from './networks.js';
import { SYSTEM_ROUTES } from './system.js';

export const ROUTES: readonly Route[] = [
  ...SYSTEM_ROUTES,
  ...NETWORK_ROUTES,
  ...CONTAINER_LIST_ROUTES,
  ...CONTAINER_ROUTES,
];
