// Imports of all forms, live bindings, cycles, and files with attributes.
import data from "./data.json" with { type: "json" };
import text from "./note.txt" with { type: "text" };
import standard, { bump, count, value as renamed, type Kind } from "./other.ts";
import * as other from "./other.ts";
import { cyclic } from "./cycle.ts";
export * from "./other.ts"; export { value as again } from "./other.ts"; export * as nested from "./other.ts";
const kind: Kind = "k"; export const here = () => "here"; const before = count; bump();
const top = await Promise.resolve("awaited");
export const result = async () => { const dynamic = await import("./other.ts"); const lazy = await import("./lazy.ts"); return [data, text, standard(), before, count, renamed, Object.keys(other).sort(), other.count === count, cyclic(), kind, top, dynamic.value, lazy.default, typeof dynamic.bump, Object.prototype.toString.call(other), "nothing" in other, lazy.order]; };
