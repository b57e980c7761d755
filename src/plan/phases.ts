/**
 * Phases of a plan, in order. What takes away runs first, what adds after it, and the removal of guards last: what opens
 * is removed first and added last.
 */
export const PHASES = [
  'closeShortcut',
  'closeResolver',
  'closeElement',
  'closeHostport',
  'closeRoute',
  'closeNeighbour',
  'closeAddress',
  'closeSysctl',
  // What links lose that stay; before all deletes of what lies on each other, which are taken back together.
  'loseLink',
  // A link goes before the flows that confine its port: whoever takes that back can raise it last again. A port is unplugged
  // before its flows go, too, and a switch goes when nothing is plugged in.
  'closeLink',
  'closePort',
  'closeFlow',
  'closeSwitch',
  'closeForeign',
  'closeNetns',
  'openNetns',
  'openGuard',
  'openSwitch',
  'openLink',
  'openForeign',
  // A container's end comes up last: neither port nor flow carries anything before.
  'openPort',
  'openFlow',
  'openSysctl',
  'openAddress',
  'openNeighbour',
  'openHostport',
  // Guards of a bridge's port need the port, which carries nothing before it is raised.
  'openPortGuard',
  'openElement',
  'linkUp',
  'openRoute',
  'openResolver',
  // Past guards and bridge: both are there by now, and the port is up.
  'openShortcut',
  'closeGuard',
] as const;

export type Phase = (typeof PHASES)[number];
