/**
 * Every built-in driver by name. A further one is a file or folder here that
 * exports a `Driver`, and a line in this list; `test/unit/drivers.conformance.test.ts` then runs over it.
 */
import { notFound } from '../errors.js';
import { shown } from '../model/address.js';
import { bridge } from './bridge/index.js';
import type { Driver } from './contract.js';
import { host } from './host.js';
import { ipvlan } from './ipvlan.js';
import { macvlan } from './macvlan.js';
import { nullDriver } from './null.js';
import { ovs } from './ovs/index.js';
import { remote } from './remote.js';

export const DRIVERS: ReadonlyMap<string, Driver> = new Map(
  [bridge, host, ipvlan, macvlan, nullDriver, ovs].map((driver) => [driver.name, driver]),
);

/** Throws not-found with moby's text for a driver that is neither built in nor (yet) a plugin. */
export const driverOf = (name: string): Driver => {
  const driver = DRIVERS.get(name);
  if (!driver) throw notFound(`could not find plugin ${shown(name)} in v1 plugin registry: plugin not found`);
  return driver;
};

/** Of every network whose driver is not built in. Nobody asks for it by name. */
export { remote };
