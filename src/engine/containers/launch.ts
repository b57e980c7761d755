/**
 * From a record to a process that waits to be started: files, namespaces, networks and the OCI runtime, which works while
 * the networks are made. When it rejects, the record says what of it is there, for the caller to take away.
 */
import { defined } from '../../defined.js';
import { conflict } from '../../errors.js';
import { failpoint } from '../../failpoints.js';
import { type Container, joinedContainer } from '../../model/container.js';
import { ownTurn } from '../../pace.js';
import type { StartRequest } from '../../runtime/contract.js';
import { holdAhead } from '../attach/ahead.js';
import { start } from '../attach/index.js';
import { checkLinks, linkEnvironment } from '../attach/links.js';
import { linkTargets, namespaceOwner, usesHost } from '../attach/standing.js';
import { startSysctls } from '../attach/sysctls.js';
import type { Outside, Writing } from '../parts.js';
import type { View } from '../view.js';
import { writeEtc } from './etc-files.js';
import { hasSubpaths, mountVolumes, useMounts, withSubpaths } from './mounts.js';

type Launching = View &
  Writing &
  Pick<Outside, 'hostPorts' | 'images' | 'runtime' | 'volumes' | 'mountUsers' | 'plugins' | 'networkLocks'>;

const namespaceOf = (parts: Launching, container: Container): string => {
  const sandbox = parts.model.sandboxOf(container);
  return sandbox?.netns ?? '';
};

const hostnameOf = (parts: Launching, container: Container): string => {
  const owner = namespaceOwner(parts, container);
  return usesHost(owner) && owner.config.Hostname === '' ? '' : owner.config.Hostname;
};

const linkVariables = (parts: Launching, container: Container): readonly string[] => {
  const bridge = parts.config.linkVariables ? parts.model.networkNamed('bridge') : undefined;
  if (!bridge || !container.networks.some((n) => n.networkId === bridge.id)) return [];
  return linkTargets(parts, container, bridge).flatMap((t) => linkEnvironment(container, t));
};

const sharedNamespaces = (parts: Launching, { hostConfig }: Container): Pick<StartRequest, 'pidOf'> => {
  const of = (mode: string | undefined): number | undefined => {
    const other = joinedContainer(mode);
    if (other === undefined) return undefined;
    const { id, state } = parts.model.getContainer(other);
    if (state.pid === 0) throw conflict(`container ${id} is not running`);
    return state.pid;
  };
  return { pidOf: defined({ pid: of(hostConfig.PidMode), ipc: of(hostConfig.IpcMode) }) };
};

/** Needs the namespace and the endpoints' addresses, nothing that the kernel has of them. */
const runtimeCreate = (
  parts: Launching,
  joined: Container,
  rootfs: string,
  givenUp: AbortSignal,
): Promise<{ readonly pid: number }> => {
  const etc = writeEtc(parts, joined);
  failpoint('etc-written');
  const create = (container: Container) =>
    parts.runtime.create(
      {
        container,
        image: parts.images.get(joined.imageId),
        rootfs,
        etc,
        netns: namespaceOf(parts, joined),
        env: linkVariables(parts, joined),
        hostname: hostnameOf(parts, joined),
        domainname: joined.config.Domainname,
        init: joined.hostConfig.Init ?? parts.config.init,
        sysctls: startSysctls(joined.hostConfig),
        ...sharedNamespaces(parts, joined),
      },
      givenUp,
    );
  return withSubpaths(parts, joined, create);
};

/** Settings of interfaces, or of those to come, are the OCI runtime's to make: the interfaces must be there by then. */
const INTERFACE_SYSCTL = /^net\.ipv[46]\.(conf|neigh)\./;
const setsInterfaces = ({ hostConfig }: Container): boolean =>
  Object.keys(hostConfig.Sysctls ?? {}).some((name) => INTERFACE_SYSCTL.test(name.replaceAll('/', '.')));

const launchMounted = async (
  parts: Launching,
  container: Container,
  givenUp: AbortSignal,
): Promise<{ readonly pid: number }> => {
  const ahead = holdAhead(parts, container);
  let creating: Promise<{ readonly pid: number }> | undefined;
  try {
    const rootfs = await parts.images.mount(container.id, container.imageId);
    failpoint('rootfs-mounted');
    await mountVolumes(parts, container, rootfs, givenUp);
    failpoint('volumes-mounted');
    // Parts of volumes are bound only when the OCI runtime is at work.
    if (!hasSubpaths(container))
      await parts.runtime.prepare({ container, rootfs, ...sharedNamespaces(parts, container) });
    await ahead;
    await ownTurn();
    const joined = await start(parts, container, (placed) => {
      if (setsInterfaces(placed)) return;
      creating = runtimeCreate(parts, placed, rootfs, givenUp);
      creating.catch(() => {}); // awaited below, after the networks
    });
    const created = await (creating ?? runtimeCreate(parts, joined, rootfs, givenUp));
    await ownTurn();
    return created;
  } catch (error) {
    // Nobody takes away what somebody is still making.
    await creating?.catch(() => {});
    throw error;
  } finally {
    (await ahead)?.();
  }
};

/** Resolves to the waiting process. `givenUp`: somebody wants the container away; it rejects soon. */
export const launch = async (
  parts: Launching,
  container: Container,
  givenUp: AbortSignal,
): Promise<{ readonly pid: number }> => {
  parts.runtime.foresee();
  const bridge = parts.model.networkNamed('bridge');
  if (bridge) checkLinks(container, bridge.id, (id) => parts.model.containers.get(id));
  const leave = useMounts(parts, container);
  try {
    return await launchMounted(parts, container, givenUp);
  } finally {
    leave();
  }
};
