/**
 * Every built-in driver by name. A further one is a file or folder here that
 * exports a `Driver`, and a line in this list; `test/unit/drivers.conformance.test.ts` then runs over it.
 */
import type { Network } from '../model/network.js';
import { bridge } from './bridge/index.js';
import type { Driver } from './contract.js';
import { ipvlan } from './ipvlan.js';
import { macvlan } from './macvlan.js';
import { overlay } from './overlay/index.js';
import { ovs } from './ovs/index.js';
import { plugin } from './plugin.js';
import { host, nullDriver } from './single.js';

export const DRIVERS: ReadonlyMap<string, Driver> = new Map(
  [bridge, host, ipvlan, macvlan, nullDriver, overlay, ovs].map((driver) => [driver.name, driver]),
);

/** A network's driver; what is not built in is a plugin's. */
export const driverOf = ({ driver }: Pick<Network, 'driver'>, drivers: ReadonlyMap<string, Driver>): Driver =>
  drivers.get(driver) ?? plugin;

/** Of every network whose driver is not built in. */
export { plugin };
