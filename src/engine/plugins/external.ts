/**
 * Tells network plugins which of their endpoints is its container's way out, and so carries its published ports, and
 * which is no longer: `ProgramExternalConnectivity` and `RevokeExternalConnectivity`, as libnetwork does after each join
 * and leave. The record says so first: a daemon killed in between revokes once too often, never once too little.
 */
import { reworded } from '../../errors.js';
import type { Endpoint, PluginEndpoint } from '../../model/endpoint.js';
import { put } from '../commit/tables.js';
import type { Outside, Writing } from '../parts.js';
import type { View } from '../view.js';
import { sandboxOptions } from './options.js';
import { networkCall } from './owed-calls.js';

type Announcing = Pick<View, 'model'> & Pick<Writing, 'ledger' | 'log'> & Pick<Outside, 'plugins'>;

const note = (parts: Announcing, { id }: Endpoint, external: boolean): void => {
  const current = parts.model.endpoints.get(id);
  if (!current?.plugin) return;
  const plugin: PluginEndpoint = { ...current.plugin, external };
  parts.ledger.commit([put('endpoint', { ...current, plugin })]);
};

const program = async (parts: Announcing, endpoint: Endpoint, driver: string): Promise<void> => {
  const container = parts.model.getContainer(endpoint.containerId);
  note(parts, endpoint, true);
  try {
    const plugin = await parts.plugins.network(driver);
    await plugin.programExternalConnectivity(endpoint.networkId, endpoint.id, sandboxOptions(container));
  } catch (error) {
    const what = `driver failed programming external connectivity on endpoint ${container.name} (${endpoint.id})`;
    throw reworded(error, (message) => `${what}: ${message}`);
  }
};

const revoke = async (parts: Announcing, endpoint: Endpoint, driver: string): Promise<void> => {
  const { id, networkId } = endpoint;
  note(parts, endpoint, false);
  try {
    await parts.plugins.tell(
      networkCall(driver, 'RevokeExternalConnectivity', { NetworkID: networkId, EndpointID: id }),
    );
  } catch (error) {
    parts.log.warn(
      { plugin: driver, endpoint: id, error: String(error) },
      'external connectivity not revoked',
    );
  }
};

/** After every change of a sandbox's endpoints. Throws what a plugin refused to program. */
export const announceGateways = async (parts: Announcing, sandboxId: string): Promise<void> => {
  for (const endpoint of parts.model.endpointsOfSandbox(sandboxId)) {
    const sandbox = parts.model.sandboxes.get(sandboxId);
    const network = parts.model.networks.get(endpoint.networkId);
    if (!sandbox || !network || !endpoint.plugin) continue;
    const leadsOut = sandbox.gateway4 === endpoint.id || sandbox.gateway6 === endpoint.id;
    if (leadsOut === endpoint.plugin.external) continue;
    await (leadsOut ? program : revoke)(parts, endpoint, network.driver);
  }
};
