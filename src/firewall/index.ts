/** The firewall: a pure function from what drivers know of networks and endpoints to elements of static tables. */
export { asGuard } from './elements.js';
export { endpointElements, linkLocalOf } from './endpoint.js';
export { meshObjects, meshPortChanges, meshPortElements, meshPortsOf } from './mesh.js';
export { fixedSources, networkElements, otherNodeElements, switchedElement } from './network.js';
export { apiElements, relayElements, sealedElements, vxlanElements } from './own-ports.js';
export { printRuleset } from './print.js';
export { type Led, ledBy, ledChanges, ledElements, MANY, pairsOf } from './published.js';
export { RULESET, setOf } from './ruleset.js';
export { SANDBOX } from './sandbox.js';
export { SERVICES } from './services.js';
export { WAY_BACK, wayBackOut } from './way-back.js';
