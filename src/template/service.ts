/** What of a service's container may be a template, filled in for one task. Pure; throws TemplateError, which names the place. */
import type { ServiceContainer, ServiceMount } from '../model/swarm/service.js';
import { expand, type TaskFacts } from './index.js';

/** With the place in front of what is wrong. */
const placed = <T>(place: string, work: () => T): T => {
  try {
    return work();
  } catch (error) {
    throw new Error(`expanding ${place} failed: ${error instanceof Error ? error.message : String(error)}`, {
      cause: error,
    });
  }
};

type Texts = Readonly<Record<string, string>>;

const valuesOf = (texts: Texts | undefined, fill: (text: string) => string): Texts | undefined =>
  texts && Object.fromEntries(Object.entries(texts).map(([name, value]) => [name, fill(value)]));

const volumeOptionsOf = (
  options: NonNullable<ServiceMount['VolumeOptions']>,
  fill: (text: string) => string,
): NonNullable<ServiceMount['VolumeOptions']> => {
  const labels = valuesOf(options.Labels, fill);
  const driverOptions = valuesOf(options.DriverConfig?.Options, fill);
  return {
    ...options,
    ...(labels ? { Labels: labels } : {}),
    ...(driverOptions ? { DriverConfig: { ...options.DriverConfig, Options: driverOptions } } : {}),
  };
};

const mountOf = (mount: ServiceMount, fill: (text: string) => string): ServiceMount => ({
  ...mount,
  ...(mount.Source === undefined ? {} : { Source: fill(mount.Source) }),
  Target: fill(mount.Target),
  ...(mount.VolumeOptions ? { VolumeOptions: volumeOptionsOf(mount.VolumeOptions, fill) } : {}),
});

/** The value of a variable, never its name. */
const variableOf = (variable: string, fill: (text: string) => string): string => {
  const at = variable.indexOf('=');
  return at < 0 ? variable : variable.slice(0, at + 1) + fill(variable.slice(at + 1));
};

export const expandContainer = (container: ServiceContainer, facts: TaskFacts): ServiceContainer => {
  const fill = (text: string): string => expand(text, facts);
  const { Env, Mounts, Hostname } = container;
  return {
    ...container,
    ...(Env
      ? { Env: Env.map((each) => placed(`env ${JSON.stringify(each)}`, () => variableOf(each, fill))) }
      : {}),
    ...(Mounts
      ? {
          Mounts: Mounts.map((each) =>
            placed(`mount of ${JSON.stringify(each.Target)}`, () => mountOf(each, fill)),
          ),
        }
      : {}),
    ...(Hostname === undefined ? {} : { Hostname: placed('hostname', () => fill(Hostname)) }),
  };
};
