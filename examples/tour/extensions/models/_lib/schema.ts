// A very small schema library, so that the tour needs no package. A schema is any object with `_def`, `parse` and
// `safeParse`; with `toJSONSchema`, what it accepts is known before anything runs. Most people use zod.

interface Issue {
  path: (string | number)[];
  message: string;
}

type Made = { success: true; data: unknown } | { success: false; error: { issues: Issue[] } };

export interface Schema {
  _def: { kind: string };
  isOptional: boolean;
  shape?: Record<string, Schema>;
  parse(value: unknown): unknown;
  safeParse(value: unknown): Made;
  toJSONSchema(): Record<string, unknown>;
}

const failed = (issues: Issue[]): Made => ({ success: false, error: { issues } });
const found = (value: unknown) => (value === undefined ? "nothing" : value === null ? "null" : Array.isArray(value) ? "list" : typeof value);
const wrong = (what: string, value: unknown): Made => failed([{ path: [], message: `expected ${what}, found ${found(value)}` }]);

function schema(kind: string, json: Record<string, unknown>, check: (value: unknown) => Made): Schema {
  const safeParse = (value: unknown): Made =>
    value === undefined && "default" in json ? { success: true, data: json.default } : check(value);
  const parse = (value: unknown) => {
    const made = safeParse(value);
    if (made.success) return made.data;
    throw new TypeError(made.error.issues.map(({ path, message }) => `${path.join(".")}: ${message}`).join("; "));
  };
  return { _def: { kind }, isOptional: "default" in json, parse, safeParse, toJSONSchema: () => json };
}

/** What a JSON Schema says beside the type: a default, or that the value is sensitive. */
type More = Record<string, unknown>;

const plain = (kind: string, type: string, is: (value: unknown) => boolean) => (more: More = {}): Schema =>
  schema(kind, { type, ...more }, (value) => (is(value) ? { success: true, data: value } : wrong(`a ${kind}`, value)));

export const text = plain("text", "string", (value) => typeof value === "string");
export const number = plain("number", "number", (value) => typeof value === "number");
export const truth = plain("truth", "boolean", (value) => typeof value === "boolean");

/** A schema that is content with nothing, too. */
export const optional = (inner: Schema): Schema => ({
  ...inner,
  isOptional: true,
  safeParse: (value) => (value === undefined ? { success: true, data: undefined } : inner.safeParse(value)),
});

export const list = (item: Schema, more: More = {}): Schema =>
  schema("list", { type: "array", items: item.toJSONSchema(), ...more }, (value) => {
    if (!Array.isArray(value)) return wrong("a list", value);
    const made = value.map((each) => item.safeParse(each));
    const issues = made.flatMap((each, index) =>
      each.success ? [] : each.error.issues.map(({ path, message }) => ({ path: [index, ...path], message })));
    return issues.length > 0 ? failed(issues) : { success: true, data: made.map((each) => (each.success ? each.data : undefined)) };
  });

/** An object with these members; others are dropped. */
export function object(shape: Record<string, Schema>): Schema {
  const entries = Object.entries(shape);
  const json = {
    type: "object",
    properties: Object.fromEntries(entries.map(([key, member]) => [key, member.toJSONSchema()])),
    required: entries.filter(([, member]) => !member.isOptional).map(([key]) => key),
  };
  const made = schema("object", json, (value) => {
    if (typeof value !== "object" || value === null || Array.isArray(value)) return wrong("an object", value);
    const data: Record<string, unknown> = {};
    const issues: Issue[] = [];
    for (const [key, member] of entries) {
      const each = member.safeParse((value as Record<string, unknown>)[key]);
      if (!each.success) issues.push(...each.error.issues.map(({ path, message }) => ({ path: [key, ...path], message })));
      else if (each.data !== undefined) data[key] = each.data;
    }
    return issues.length > 0 ? failed(issues) : { success: true, data };
  });
  return { ...made, shape };
}

/** Whatever names there are. */
export const record = (): Schema =>
  schema("record", { type: "object", additionalProperties: {} }, (value) =>
    typeof value === "object" && value !== null ? { success: true, data: value } : wrong("an object", value));
