/**
 * What the daemon answers below `/viaduct/v1/`: the one description that the API's presenters are typed by and that the command
 * line (later the console) checks answers with. Fields may be added; none changes its meaning in v1.
 */
import * as z from 'zod';

/** Who an object of the kernel's is there for. */
const owner = z.object({
  kind: z.enum(['host', 'network', 'sandbox', 'endpoint', 'peer', 'vtep', 'balancer']),
  /** of the record; empty: the host */
  id: z.string(),
  /** in people's words: `network web`, `container shop on network web` */
  name: z.string(),
});
export type Owner = z.infer<typeof owner>;

/** `GET /viaduct/v1/objects?container=REFERENCE` or `?network=REFERENCE`: what must be in the kernel because of it. */
export const objects = z.array(
  z.object({
    /** `link`, `route`, `element` … */
    kind: z.string(),
    /** as the command that makes it: `ip`, `nft`, `sysctl` … */
    text: z.string(),
    owner,
    /** `unknown`: a service that keeps it (Open vSwitch) does not answer */
    state: z.enum(['there', 'missing', 'unknown']),
  }),
);
export type Objects = z.infer<typeof objects>;

/** `GET /viaduct/v1/dirty`: what is not in the kernel as the records want it; it is tried again until it is. */
export const dirty = z.array(
  z.object({
    owner,
    error: z.string(),
    /** RFC 3339 */
    since: z.string(),
  }),
);
export type Dirty = z.infer<typeof dirty>;

/** `GET /viaduct/v1/plan`: the steps by which the kernel would be brought to the records now; none where all is as it should be. */
export const plan = z.array(
  z.object({
    op: z.enum(['create', 'replace', 'delete']),
    /** as the command that does it */
    text: z.string(),
    /** null: nobody's, so it goes */
    owner: owner.nullable(),
  }),
);
export type PendingSteps = z.infer<typeof plan>;

/** `GET /viaduct/v1/topology`: networks, containers that have a sandbox, and what joins them. */
export const topology = z.object({
  networks: z.array(
    z.object({
      id: z.string(),
      name: z.string(),
      driver: z.string(),
      /** the host's interface that is there for it; absent: none */
      interface: z.string().optional(),
      subnets: z.array(z.string()),
      internal: z.boolean(),
    }),
  ),
  containers: z.array(z.object({ id: z.string(), name: z.string(), state: z.string() })),
  endpoints: z.array(
    z.object({
      id: z.string(),
      network: z.string(),
      container: z.string(),
      /** in the container; empty: no interface of its own */
      interface: z.string(),
      /** the end on the host; empty: none */
      hostInterface: z.string(),
      mac: z.string(),
      /** with prefix length */
      addresses: z.array(z.string()),
      /** whether default routes of the container lead here */
      gateway: z.object({ ipv4: z.boolean(), ipv6: z.boolean() }),
      ports: z.array(
        z.object({
          protocol: z.string(),
          address: z.string(),
          port: z.number(),
          containerPort: z.number(),
          count: z.number(),
        }),
      ),
    }),
  ),
});
export type Topology = z.infer<typeof topology>;
