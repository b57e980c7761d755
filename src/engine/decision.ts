/**
 * What a command comes to, as data: the records that change, and what is to be told when they have. A decision is a pure
 * function of a view and a request, so that it can be looked at before it is carried out (`Ledger.preview`), and undoing it is
 * the ledger's business alone. `carry-out.ts` carries it out.
 */
import { createHash } from 'node:crypto';
import type { Container } from '../model/container.js';
import type { Endpoint } from '../model/endpoint.js';
import type { EngineEvent } from '../model/events.js';
import type { Network } from '../model/network.js';
import type { Change } from './commit/tables.js';

/** What pure functions cannot make up: they are given it. */
export interface Fresh {
  /** random, 64 hex digits; nobody else was given it */
  readonly id: string;
  /** RFC 3339 with nanoseconds */
  readonly now: string;
}

/** One of any number of ids that come of a fresh one. */
export const idFor = <T extends string>({ id }: Fresh, what: string): T =>
  createHash('sha256').update(`${id} ${what}`).digest('hex') as T; // the brand is the caller's to give

export type Told = Omit<EngineEvent, 'timeNano'>;

/** What becomes of the files in a container's /etc. */
export type EtcChange =
  | { readonly what: 'joined' | 'left'; readonly container: string; readonly endpoint: Endpoint }
  /** it has lost the link of this name */
  | { readonly what: 'unlinked'; readonly container: Container; readonly alias: string };

export interface Decision {
  readonly changes: readonly Change[];
  /** in this order */
  readonly events: readonly Told[];
  readonly etc?: readonly EtcChange[];
}

/** A sentence for the log. */
export interface Warning {
  readonly about: Readonly<Record<string, string>>;
  readonly text: string;
}

export const toldOfNetwork = (network: Network, action: string, container?: string): Told => ({
  type: 'network',
  action,
  actor: {
    id: network.id,
    attributes: { name: network.name, type: network.driver, ...(container ? { container } : {}) },
  },
});

export const toldOfContainer = (
  { id, name, imageName, config }: Container,
  action: string,
  attributes: Readonly<Record<string, string>> = {},
): Told => ({
  type: 'container',
  action,
  actor: { id, attributes: { ...config.Labels, image: imageName, name, ...attributes } },
});
