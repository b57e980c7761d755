/** The static ruleset: tables whose chains never change, but those of ports. `docs/adr/0003-firewall.md` argues it. */
import { BRIDGE } from './bridge.js';
import { GUARD } from './guard.js';
import { INET } from './inet/index.js';
import type { HostTable, SetDeclaration } from './language.js';
import { SANDBOX } from './sandbox.js';
import { SERVICES } from './services.js';

/** The tables' name. */
export const TABLE = 'viaduct';
export const RULESET: readonly HostTable[] = [INET, GUARD, BRIDGE];

const declarations: ReadonlyMap<string, SetDeclaration> = new Map(
  [...RULESET, ...SANDBOX, SERVICES].flatMap((table) =>
    table.sets.map((set) => [`${table.family} ${set.name}`, set] as const),
  ),
);
/** The declaration of a set (of a sandbox's tables too), undefined where there is none of that name. */
export const setOf = (family: string, name: string): SetDeclaration | undefined =>
  declarations.get(`${family} ${name}`);
