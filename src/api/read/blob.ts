/** Bodies of `POST /secrets/create`, `/configs/create` and their updates. */

import * as z from 'zod';
import { invalid, notImplemented } from '../../errors.js';
import { fields } from '../../go-fields.js';
import type { Blob } from '../../model/swarm/cluster.js';
import { decode, string, stringMap } from './decode.js';

const driver = fields({ Name: string.default('') }).exactOptional();
const schema = fields({
  Name: string.default(''),
  Labels: stringMap.default({}),
  Data: z.base64().default(''),
  Driver: driver,
  Templating: driver,
});

/** Throws for what is no such body, and for drivers: here data is the data given. */
export const readBlob = (
  body: unknown,
  kind: 'secret' | 'config',
): Pick<Blob, 'name' | 'labels'> & { readonly data: Buffer } => {
  if (body === undefined) throw invalid('invalid JSON: got EOF while reading request body');
  const { Name, Labels, Data, Driver, Templating } = decode(schema, body);
  if (kind === 'secret' && Driver) throw notImplemented('drivers of secrets are not supported');
  if (Templating) throw notImplemented(`templates of ${kind}s are not supported`);
  return { name: Name, labels: Labels, data: Buffer.from(Data, 'base64') };
};
