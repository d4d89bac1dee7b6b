// Imports of types are gone, also those that do not say so.
import { type Kind, value, bump as increase } from "./other.ts"; import type { Kind as Only } from "./nothing-at-all.ts"; import * as types from "./types-only.ts"; import Default, { Shape } from "./types-only.ts";
export type { Kind } from "./other.ts"; export { type Kind as Renamed } from "./other.ts"; export * from "./types-only.ts";
const a: Kind = "k", b: Only = "o" as never, c: types.Shape = { a: 1 }, d: Shape = { a: 2 }; type E = Default; const e: E = 5;
export const result = () => [a, b, c, d, e, value, typeof increase];
