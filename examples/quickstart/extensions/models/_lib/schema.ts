// A very small schema library. A schema is any object with `_def` and the functions `parse` and `safeParse`. Most people
// use zod, which needs the network once. This one keeps a first repository free of packages.

export interface Schema<T> {
  _def: { kind: string };
  parse(value: unknown): T;
  safeParse(value: unknown): { success: true; data: T } | { success: false; error: Error };
}

function schema<T>(kind: string, accepts: (value: unknown) => boolean): Schema<T> {
  const parse = (value: unknown): T => {
    if (!accepts(value)) {
      throw new TypeError(`expected ${kind}, found ${value === null ? "null" : typeof value}`);
    }
    return value as T;
  };
  return {
    _def: { kind },
    parse,
    safeParse: (value) => {
      try {
        return { success: true, data: parse(value) };
      } catch (error) {
        return { success: false, error: error as Error };
      }
    },
  };
}

export const text = (): Schema<string> => schema("text", (value) => typeof value === "string");

export const number = (): Schema<number> => schema("a number", (value) => typeof value === "number");

export const list = <T>(item: Schema<T>): Schema<T[]> =>
  schema("a list", (value) => Array.isArray(value) && value.every((each) => item.safeParse(each).success));

export const object = (members: Record<string, Schema<unknown>>): Schema<Record<string, unknown>> =>
  schema("an object", (value) => {
    if (typeof value !== "object" || value === null || Array.isArray(value)) {
      return false;
    }
    const record = value as Record<string, unknown>;
    return Object.entries(members).every(([key, member]) => member.safeParse(record[key]).success);
  });
