/** Branded identifiers: 64 lower-case hex digits each, as Docker's are. */
import { randomBytes } from 'node:crypto';

declare const brand: unique symbol;
type Id<Name extends string> = string & { readonly [brand]: Name };

export type NetworkId = Id<'network'>;
export type EndpointId = Id<'endpoint'>;
export type SandboxId = Id<'sandbox'>;
export type ContainerId = Id<'container'>;

/** A fresh random id. Commands call it once and pass the value on; pure functions never do. */
export const freshId = <T extends string>(): T => randomBytes(32).toString('hex') as T;

/** The 12 digits that Docker shows to people. */
export const shortId = (id: string): string => id.slice(0, 12);
