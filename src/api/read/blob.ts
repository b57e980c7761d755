/** Bodies of `POST /secrets/create`, `/configs/create` and their updates. */

import * as z from 'zod';
import { invalid, notImplemented } from '../../errors.js';
import { fields } from '../../go-fields.js';
import type { Blob } from '../../model/swarm/cluster.js';
import { decode, string, stringMap } from './decode.js';

const driver = fields({ Name: string.default(''), Options: stringMap.default({}) }).exactOptional();
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
): Pick<Blob, 'name' | 'labels' | 'templating'> & { readonly data: Buffer } => {
  if (body === undefined) throw invalid('invalid JSON: got EOF while reading request body');
  const { Name, Labels, Data, Driver, Templating } = decode(schema, body);
  if (kind === 'secret' && Driver) throw notImplemented('drivers of secrets are not supported');
  if (Templating && Templating.Name !== 'golang')
    throw invalid(
      `template driver ${JSON.stringify(Templating.Name.slice(0, 100))} is not known: there is "golang"`,
    );
  return {
    name: Name,
    labels: Labels,
    data: Buffer.from(Data, 'base64'),
    ...(Templating ? { templating: { name: Templating.Name, options: Templating.Options } } : {}),
  };
};
