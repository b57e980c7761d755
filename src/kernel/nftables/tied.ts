/**
 * Base chains that are there only while a set has elements (`tiedTo`): what few networks need costs nobody else a hook on
 * every packet. A chain comes in the transaction that brings its set's first element, so nothing passes unjudged. It goes
 * when the tables are next loaded without any, because to take a chain away waits for RCU (16 ms).
 */
import type { Chain, HostTable } from '../../firewall/language.js';
import { RULESET } from '../../firewall/ruleset.js';
import type { NetlinkSocket } from '../netlink.js';
import type { ElementChange } from '../nftables.contract.js';
import { batch } from './messages.js';
import { dumpSet, isChainThere } from './observed.js';
import { chainMessages, deleteChainMessage } from './tables.js';

interface Tied {
  readonly table: HostTable;
  readonly chain: Chain;
  readonly set: string;
}

const tiedOf = (table: HostTable): readonly Tied[] =>
  table.chains.flatMap((chain) => (chain.base?.tiedTo ? [{ table, chain, set: chain.base.tiedTo }] : []));

const ALL = RULESET.flatMap(tiedOf);

export class TiedChains {
  readonly #there = new Set<Chain>();

  /** Leaves exactly the chains whose sets have elements. After the table was loaded. */
  settle(socket: NetlinkSocket, table: HostTable): void {
    for (const { chain, set } of tiedOf(table)) {
      const wanted = dumpSet(socket, table.family, set).length > 0;
      const there = isChainThere(socket, table, chain.name);
      const messages = wanted ? chainMessages(table, chain) : [deleteChainMessage(table, chain)];
      if (wanted !== there) socket.request(batch(messages), `nftables chain ${table.family} ${chain.name}`);
      if (wanted) this.#there.add(chain);
      else this.#there.delete(chain);
    }
  }

  /** The chains that must be made in front of `changes`; `made` says that they were. */
  neededFor(changes: readonly ElementChange[]): { readonly messages: readonly Buffer[]; made(): void } {
    const needed = ALL.filter(
      ({ table, chain, set }) =>
        !this.#there.has(chain) &&
        changes.some(({ op, element: e }) => op === 'add' && e.set === set && e.family === table.family),
    );
    return {
      messages: needed.flatMap(({ table, chain }) => chainMessages(table, chain)),
      made: () => {
        for (const { chain } of needed) this.#there.add(chain);
      },
    };
  }
}
