/** A seccomp profile as Docker writes it: conditions on capability, architecture and kernel. */
import * as z from 'zod';

const condition = z
  .object({
    caps: z.array(z.string()).readonly().nullish(),
    arches: z.array(z.string()).readonly().nullish(),
    minKernel: z.string().nullish(),
  })
  .nullish();

export const profileSchema = z.object({
  defaultAction: z.string(),
  defaultErrnoRet: z.number().int().nonnegative().nullish(),
  flags: z.array(z.string()).readonly().nullish(),
  syscalls: z
    .array(
      z.object({
        name: z.string().nullish(),
        names: z.array(z.string()).readonly().nullish(),
        action: z.string(),
        errnoRet: z.number().int().nonnegative().nullish(),
        args: z
          .array(
            z.object({
              index: z.number().int().min(0).max(5),
              value: z.number(),
              valueTwo: z.number().nullish(),
              op: z.string(),
            }),
          )
          .readonly()
          .nullish(),
        includes: condition,
        excludes: condition,
      }),
    )
    .readonly()
    .nullish(),
});

/** The JSON that `--security-opt seccomp=` carries. */
export type SeccompProfile = z.input<typeof profileSchema>;
