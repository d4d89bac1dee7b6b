// A very small schema library. A schema is any object with `_def` and the functions `parse` and `safeParse`; with
// `toJSONSchema`, what it accepts can be shown. Most people use zod, which needs the network once. This one keeps a
// first repository free of packages.

interface Issue {
  path: (string | number)[];
  message: string;
}

export interface Schema<T> {
  _def: { kind: string };
  parse(value: unknown): T;
  safeParse(value: unknown): { success: true; data: T } | { success: false; error: { issues: Issue[] } };
  toJSONSchema(): unknown;
}

function schema<T>(kind: string, jsonSchema: unknown, check: (value: unknown) => Issue[]): Schema<T> {
  const safeParse: Schema<T>["safeParse"] = (value) => {
    const issues = check(value);
    return issues.length === 0 ? { success: true, data: value as T } : { success: false, error: { issues } };
  };
  const parse = (value: unknown): T => {
    const result = safeParse(value);
    if (result.success) {
      return result.data;
    }
    throw new TypeError(result.error.issues.map((issue) => `${issue.path.join(".")}: ${issue.message}`).join("; "));
  };
  return { _def: { kind }, parse, safeParse, toJSONSchema: () => jsonSchema };
}

function expected(what: string, value: unknown): Issue[] {
  const found = value === null ? "null" : Array.isArray(value) ? "list" : typeof value;
  return [{ path: [], message: `expected ${what}, found ${found}` }];
}

function below(key: string | number, issues: Issue[]): Issue[] {
  return issues.map((issue) => ({ path: [key, ...issue.path], message: issue.message }));
}

function issuesOf(schema: Schema<unknown>, value: unknown): Issue[] {
  const result = schema.safeParse(value);
  return result.success ? [] : result.error.issues;
}

export const text = (): Schema<string> =>
  schema("text", { type: "string" }, (value) => (typeof value === "string" ? [] : expected("a text", value)));

export const number = (): Schema<number> =>
  schema("number", { type: "number" }, (value) => (typeof value === "number" ? [] : expected("a number", value)));

export const list = <T>(item: Schema<T>): Schema<T[]> =>
  schema("list", { type: "array", items: item.toJSONSchema() }, (value) =>
    Array.isArray(value)
      ? value.flatMap((each, index) => below(index, issuesOf(item, each)))
      : expected("a list", value));

export const object = (members: Record<string, Schema<unknown>>): Schema<Record<string, unknown>> => {
  const entries = Object.entries(members);
  const jsonSchema = {
    type: "object",
    properties: Object.fromEntries(entries.map(([key, member]) => [key, member.toJSONSchema()])),
    required: Object.keys(members),
  };
  return schema("object", jsonSchema, (value) => {
    if (typeof value !== "object" || value === null || Array.isArray(value)) {
      return expected("an object", value);
    }
    const record = value as Record<string, unknown>;
    return entries.flatMap(([key, member]) => below(key, issuesOf(member, record[key])));
  });
};
