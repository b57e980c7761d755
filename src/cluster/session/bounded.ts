/**
 * Lists and tables that a node sends, counted before they are looked at, and looked at up to the first fault: to tell what is wrong with
 * each of all the values that a message has room for would hold the manager for ten seconds.
 */
import * as z from 'zod';

/** At most so many of these. */
export const listOf = <Item extends z.ZodType>(item: Item, most: number) =>
  z
    .custom<readonly unknown[]>((given) => Array.isArray(given) && given.length <= most)
    .transform((given, context): readonly z.infer<Item>[] => {
      const found: z.infer<Item>[] = [];
      for (const each of given) {
        const { data, error } = item.safeParse(each);
        if (error) {
          context.addIssue({ code: 'custom', message: `[${found.length}]: ${error.issues[0]?.message}` });
          return z.NEVER;
        }
        found.push(data);
      }
      return found;
    });

const MOST_LABELS = 1_000;

const isFew = (given: unknown): boolean =>
  typeof given === 'object' && given !== null && Object.keys(given).length <= MOST_LABELS;

export const labels = z.preprocess(
  (given, context) => {
    if (isFew(given)) return given;
    context.addIssue({ code: 'custom', message: 'too many labels, or none' });
    return z.NEVER;
  },
  z.record(z.string().max(300), z.string().max(4_096)),
);
