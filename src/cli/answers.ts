/** The parts of the daemon's answers that the command line reads, checked when they arrive. */
import * as z from 'zod';

export const version = z.object({
  /** `Version` is moby's, which it matches */
  Components: z.array(z.object({ Name: z.string(), Version: z.string() })),
  ApiVersion: z.string(),
  MinAPIVersion: z.string(),
});
export type Version = z.infer<typeof version>;

export const summary = z.object({
  ID: z.string(),
  DockerRootDir: z.string(),
  Containers: z.number(),
  ContainersRunning: z.number(),
  Images: z.number(),
  KernelVersion: z.string(),
  Warnings: z.array(z.string()).nullish(),
});
export type Summary = z.infer<typeof summary>;

/** Of `/viaduct/dropped`. */
export const dropped = z.array(
  z.object({ Container: z.string(), Network: z.string(), Reason: z.string(), Packets: z.number() }),
);
export type Dropped = z.infer<typeof dropped>;

const port = z.object({
  IP: z.string().optional(),
  PrivatePort: z.number(),
  PublicPort: z.number().optional(),
  Type: z.string(),
});
export type Port = z.infer<typeof port>;

const endpoint = z.object({
  IPAddress: z.string().default(''),
  GlobalIPv6Address: z.string().default(''),
  MacAddress: z.string().default(''),
});

export const containers = z.array(
  z.object({
    Id: z.string(),
    Names: z.array(z.string()),
    State: z.string(),
    Ports: z.array(port).nullish(),
    NetworkSettings: z.object({ Networks: z.record(z.string(), endpoint) }),
  }),
);
export type Containers = z.infer<typeof containers>;
