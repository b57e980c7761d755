/** Branded identifiers: 64 lower-case hex digits each, as Docker's are. */

declare const brand: unique symbol;
type Id<Name extends string> = string & { readonly [brand]: Name };

export type NetworkId = Id<'network'>;
export type EndpointId = Id<'endpoint'>;
export type SandboxId = Id<'sandbox'>;
export type ContainerId = Id<'container'>;

/** The 12 digits that Docker shows to people. */
export const shortId = (id: string): string => id.slice(0, 12);
