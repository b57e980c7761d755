/**
 * The plugins of this host, activated when first asked for. Invariants: one activation at a time a name; a plugin that is
 * being restarted is waited for; one that did not come back is looked for and activated anew the next time.
 */
import { type ErrorKind, invalid, notFound, ViaductError } from '../errors.js';
import { shown } from '../model/address.js';
import { MANIFEST, NOTHING } from './answers.js';
import { type Client, createClient, StatusError } from './client.js';
import type { IpamPlugin, NetworkPlugin, PluginKind, Plugins } from './contract.js';
import { type Location, locatePlugin, locationText, type PluginDirectories } from './discovery.js';
import { createIpamPlugin } from './ipam-driver.js';
import { createNetworkPlugin } from './network-driver.js';
import { LIMITS, type Limits } from './transport.js';

/** Plugins older than the call answer 404, and are right. */
const OPTIONAL: ReadonlySet<string> = new Set(['NetworkDriver.RevokeExternalConnectivity']);

interface Activated {
  readonly client: Client;
  readonly implements: readonly string[];
  network?: Promise<NetworkPlugin>;
  ipam?: Promise<IpamPlugin>;
}

interface Known {
  readonly location: Location;
  readonly activated: Promise<Activated>;
}

const isKind = (error: unknown, kind: ErrorKind): boolean =>
  error instanceof ViaductError && error.kind === kind;

const activate = async (client: Client): Promise<Activated> => {
  const { Implements } = await client.call('Plugin.Activate', undefined, MANIFEST);
  return { client, implements: Implements };
};

/** The same client; `tell` hears of each call for which the plugin was not there. */
const watched = (client: Client, tell: () => void): Client => {
  const watching =
    (verb: 'call' | 'once'): Client['call'] =>
    async (method, body, schema) => {
      try {
        return await client[verb](method, body, schema);
      } catch (error) {
        if (isKind(error, 'unavailable')) tell();
        throw error;
      }
    };
  return { call: watching('call'), once: watching('once') };
};

class Registry implements Plugins {
  readonly #known = new Map<string, Known>();
  readonly #active = new Map<string, readonly string[]>();

  constructor(
    private readonly directories: PluginDirectories,
    private readonly limits: Limits,
  ) {}

  network(name: string): Promise<NetworkPlugin> {
    return this.#driver(name, 'NetworkDriver', (plugin) => {
      plugin.network ??= createNetworkPlugin(plugin.client);
      return plugin.network;
    });
  }

  ipam(name: string): Promise<IpamPlugin> {
    return this.#driver(name, 'IpamDriver', (plugin) => {
      plugin.ipam ??= createIpamPlugin(plugin.client);
      return plugin.ipam;
    });
  }

  found(name: string): boolean {
    return this.#known.has(name) || locatePlugin(name, this.directories) !== undefined;
  }

  async tell({ plugin, method, body }: Parameters<Plugins['tell']>[0]): Promise<void> {
    const { client } = await this.#activated(plugin, { ...this.limits, retryMs: 0 });
    try {
      await client.once(method, body, NOTHING);
    } catch (error) {
      if (!(OPTIONAL.has(method) && error instanceof StatusError && error.status === 404)) throw error;
    }
  }

  active(kind: PluginKind): readonly string[] {
    return [...this.#active].flatMap(([name, kinds]) => (kinds.includes(kind) ? [name] : [])).sort();
  }

  async #driver<T extends object>(
    name: string,
    kind: PluginKind,
    make: (plugin: Activated) => Promise<T>,
  ): Promise<T> {
    const plugin = await this.#activated(name, this.limits);
    if (!plugin.implements.includes(kind))
      throw invalid(
        `Plugin does not implement the requested driver: plugin=${JSON.stringify(name)}, requested implementation=${JSON.stringify(kind)}`,
      );
    try {
      return await make(plugin);
    } catch (error) {
      this.#known.delete(name); // without capabilities it is no driver yet
      throw error;
    }
  }

  #activated(name: string, limits: Limits): Promise<Activated> {
    const known = this.#known.get(name);
    const location = locatePlugin(name, this.directories) ?? known?.location;
    if (!location)
      return Promise.reject(
        notFound(`could not find plugin ${shown(name)} in v1 plugin registry: plugin not found`),
      );
    if (known && locationText(known.location) === locationText(location)) return known.activated;
    const forget = (): void => {
      if (this.#known.get(name)?.activated === activated) this.#known.delete(name);
    };
    const activated = activate(watched(createClient(name, location, limits), forget));
    this.#known.set(name, { location, activated });
    activated.then((plugin) => this.#active.set(name, plugin.implements), forget);
    return activated;
  }
}

/** `limits`: other than Docker's own, for tests. */
export const createPlugins = (directories: PluginDirectories, limits: Partial<Limits> = {}): Plugins =>
  new Registry(directories, { ...LIMITS, ...limits });

export type { PluginDirectories } from './discovery.js';
