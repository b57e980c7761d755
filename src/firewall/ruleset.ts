/** The static ruleset: two tables whose chains never change. `docs/adr/0003-firewall.md` argues it. */
import { BRIDGE } from './bridge.js';
import { INET } from './inet.js';
import type { SetDeclaration, Table } from './language.js';

/** Both tables' name. */
export const TABLE = 'viaduct';
export const RULESET: readonly Table[] = [INET, BRIDGE];

const declarations: ReadonlyMap<string, SetDeclaration> = new Map(
  RULESET.flatMap((table) => table.sets.map((set) => [`${table.family} ${set.name}`, set] as const)),
);
/** The declaration of a set, undefined where the ruleset has none of that name. */
export const setOf = (family: string, name: string): SetDeclaration | undefined =>
  declarations.get(`${family} ${name}`);
