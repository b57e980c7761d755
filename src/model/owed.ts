/**
 * What a plugin may still hold and no record wants: written down before a plugin is asked for something and in the same
 * commit that removes a record, struck off when the plugin was told. A restarted daemon goes on from here.
 */
import type { NetworkId } from './ids.js';

/** One call of the plugin protocol, as it is sent. */
export interface OwedCall {
  readonly plugin: string;
  /** `NetworkDriver.DeleteEndpoint`, `IpamDriver.ReleaseAddress`… */
  readonly method: string;
  readonly body: Readonly<Record<string, string>>;
}

export interface Owed {
  /** the endpoint's or the network's id */
  readonly id: string;
  readonly networkId: NetworkId;
  readonly of: 'network' | 'endpoint';
  /** in the order in which they are to be made */
  readonly calls: readonly OwedCall[];
  /** the plugin's link that was in a sandbox when the endpoint's record went: a killed daemon may not have moved it back */
  readonly link?: { readonly netns: string; readonly name: string; readonly source: string };
}
