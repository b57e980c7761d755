/** Ids of a cluster's things as swarm's are: 25 digits of base 36, at random. */
import { randomBytes } from 'node:crypto';

export const newId = (): string =>
  BigInt(`0x${randomBytes(16).toString('hex')}`)
    .toString(36)
    .padStart(25, '0');
