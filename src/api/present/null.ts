/** Empty lists and maps as null: so Go writes those in an answer that nobody made. Pure. */

export const nullWhereEmpty = <T extends object>(value: T): T | null =>
  Object.keys(value).length === 0 ? null : value;
