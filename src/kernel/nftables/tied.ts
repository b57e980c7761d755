/**
 * Chains that come with elements: base chains that are there only while some sets have any (`tiedTo`), as what few networks need costs
 * nobody else a hook on every packet, and those that verdicts lead to by a number (`counted`). A chain comes in the
 * transaction that brings the first element in need of it, so nothing passes unjudged. It goes when the tables are next
 * loaded without any, because to take a chain away waits for RCU (16 ms).
 */
import { countedFor } from '../../firewall/balance.js';
import type { Chain, HostTable } from '../../firewall/language.js';
import { RULESET } from '../../firewall/ruleset.js';
import { groupBy } from '../../plan/group.js';
import type { NetlinkSocket } from '../netlink.js';
import type { ElementChange } from '../nftables.contract.js';
import { batch } from './messages.js';
import { chainNames, dumpSet, isChainThere } from './observed.js';
import { chainMessages, deleteChainMessage } from './tables.js';

interface Tied {
  readonly table: HostTable;
  readonly chain: Chain;
  readonly sets: readonly string[];
}

const tiedOf = (table: HostTable): readonly Tied[] =>
  table.chains.flatMap((chain) => (chain.base?.tiedTo ? [{ table, chain, sets: chain.base.tiedTo }] : []));

const ALL = RULESET.flatMap(tiedOf);
const COUNTED = RULESET.filter(({ counted }) => counted);

const verdictMaps = ({ sets }: HostTable): readonly string[] =>
  sets.flatMap(({ data, name }) => (data?.[0] === 'verdict' ? [name] : []));

const nameOf = ({ family }: HostTable, { name }: Pick<Chain, 'name'>): string => `${family} ${name}`;

export class TiedChains {
  readonly #there = new Set<string>();
  /** of the sets that chains are tied to those that have, or had, elements */
  readonly #filled = new Set<string>();

  /** Leaves exactly the chains that elements need. After the table was loaded. */
  settle(socket: NetlinkSocket, table: HostTable): void {
    const tied = tiedOf(table);
    for (const set of new Set(tied.flatMap(({ sets }) => sets)))
      this.#note(table, set, dumpSet(socket, table.family, set).length > 0);
    for (const { chain, sets } of tied) {
      const wanted = sets.every((set) => this.#filled.has(`${table.family} ${set}`));
      this.#settle(socket, table, chain, wanted, isChainThere(socket, table, chain.name));
    }
    if (table.counted) this.#settleCounted(socket, table, table.counted.prefix);
  }

  /** The chains that must be made in front of `changes`; `made` says that they were. */
  neededFor(changes: readonly ElementChange[]): { readonly messages: readonly Buffer[]; made(): void } {
    const added = changes.flatMap(({ op, element }) => (op === 'add' ? [element] : []));
    const bySet = groupBy(added, ({ set }) => set); // of one there may be thousands
    const comes = (family: string, set: string): boolean =>
      bySet.get(set)?.some((element) => element.family === family) === true;
    const needed = [
      ...ALL.filter(
        ({ table: { family }, sets }) =>
          sets.some((set) => comes(family, set)) &&
          sets.every((set) => comes(family, set) || this.#filled.has(`${family} ${set}`)),
      ),
      ...COUNTED.flatMap((table) =>
        countedFor(
          table,
          verdictMaps(table).flatMap((set) => bySet.get(set) ?? []),
        ).map((chain) => ({ table, chain })),
      ),
    ].filter(({ table, chain }) => !this.#there.has(nameOf(table, chain)));
    return {
      messages: needed.flatMap(({ table, chain }) => chainMessages(table, chain)),
      made: () => {
        for (const { table, chain } of needed) this.#there.add(nameOf(table, chain));
        for (const { table, sets } of ALL)
          for (const set of sets) if (comes(table.family, set)) this.#note(table, set, true);
      },
    };
  }

  #note({ family }: HostTable, set: string, filled: boolean): void {
    if (filled) this.#filled.add(`${family} ${set}`);
    else this.#filled.delete(`${family} ${set}`);
  }

  #settleCounted(socket: NetlinkSocket, table: HostTable, prefix: string): void {
    const there = new Set(chainNames(socket, table).filter((name) => name.startsWith(prefix)));
    const elements = verdictMaps(table).flatMap((name) => dumpSet(socket, table.family, name));
    for (const chain of countedFor(table, elements)) {
      this.#settle(socket, table, chain, true, there.delete(chain.name));
    }
    for (const name of there) this.#settle(socket, table, { name, rules: [] }, false, true);
  }

  #settle(socket: NetlinkSocket, table: HostTable, chain: Chain, wanted: boolean, there: boolean): void {
    const messages = wanted ? chainMessages(table, chain) : [deleteChainMessage(table, chain)];
    if (wanted !== there) socket.request(batch(messages), `nftables chain ${table.family} ${chain.name}`);
    if (wanted) this.#there.add(nameOf(table, chain));
    else this.#there.delete(nameOf(table, chain));
  }
}
