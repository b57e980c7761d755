/** All figures, in the order of the table. */
import type { Figure } from '../bench.js';
import { backends } from './backends.js';
import { client } from './client.js';
import { connections } from './connections.js';
import { control } from './control.js';
import { drivers } from './drivers.js';
import { fastpath } from './fastpath.js';
import { floods } from './floods.js';
import { idle } from './idle.js';
import { mesh } from './mesh.js';
import { names } from './names.js';
import { networks } from './networks.js';
import { ranges } from './ranges.js';
import { reach } from './reach.js';
import { restarts } from './restarts.js';
import { services } from './services.js';
import { starts } from './starts.js';

export const FIGURES: readonly Figure[] = [
  networks,
  starts,
  client,
  ranges,
  connections,
  names,
  floods,
  drivers,
  fastpath,
  restarts,
  reach,
  services,
  mesh,
  backends,
  idle,
  control,
];
