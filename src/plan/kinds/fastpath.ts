/**
 * Shortcuts past a bridge, from container to container (ADR 39): what a plan must know of a network that has them, and of each port's.
 * Whatever takes none passes guard and bridge as ever, so these only open: made last, and gone before what they are on.
 */
import { interfaceKey, type Kind } from './kind.js';

/** The program is loaded, for ports of this bridge too. */
export interface FastpathObject {
  readonly kind: 'fastpath';
  readonly bridge: string;
  /** as its shortcuts have it */
  readonly always: boolean;
}

const fastpath: Kind<FastpathObject> = {
  key: ({ bridge }) => bridge,
  mark: 'own',
  open: 'openForeign',
  close: 'closeForeign',
  print: (op, { bridge }) => `${op === 'delete' ? 'no ' : ''}shortcuts past ${bridge} by BPF`,
};

/** What one container sends to neighbours goes straight to them, and what they send to it. */
export interface ShortcutObject {
  readonly kind: 'shortcut';
  /** the host's end of its link */
  readonly link: string;
  readonly bridge: string;
  readonly mac: string;
  /** bare; absent: it has none of the family */
  readonly ipv4?: string;
  readonly ipv6?: string;
  /** also while br_netfilter shows the host's rules what bridges carry, which do not see this then */
  readonly always: boolean;
}

const shortcut: Kind<ShortcutObject> = {
  key: ({ link }) => link,
  mark: 'own',
  open: 'openShortcut',
  close: 'closeShortcut',
  on: ({ link }) => interfaceKey('host', link),
  apart: true,
  print: (op, { link, bridge, mac, ipv4, ipv6 }) => {
    if (op === 'delete') return `tc filter del dev ${link} ingress; lead nothing past ${bridge} to ${mac}`;
    const from = [ipv4, ipv6].filter((address) => address !== undefined).join(', ');
    return `tc filter ${op === 'create' ? 'add' : op} dev ${link} ingress bpf direct-action; lead past ${bridge} from and to ${mac} ${from}`;
  },
};

export const FASTPATH = { fastpath, shortcut };
