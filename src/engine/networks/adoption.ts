/** Whether a network stands on a bridge that is there already, and what that has of its own. Nothing is changed here. */
import { invalid } from '../../errors.js';
import type { AdoptedBridge } from '../../model/network.js';
import type { HostLink } from '../view.js';

/**
 * undefined: there is no bridge of the name, or one of ours, which is made and deleted with its network. Throws invalid for
 * an interface that is no bridge. `option`: where the user wrote the name.
 */
export const adoptable = (
  name: string,
  found: HostLink | undefined,
  option: string,
): AdoptedBridge | undefined => {
  if (found && !found.bridge)
    throw invalid(
      `${option}=${name}: the interface ${name} of the host is no bridge: name a bridge, or a name that is free`,
    );
  if (!found || found.ours) return undefined;
  const { addresses, mtu, routeLocalnet } = found;
  return { addresses, mtu, routeLocalnet };
};
