// An address may be the module itself.
import plain, { a } from "data:text/javascript,export const a = 1; export default import.meta.url";
import { b } from "data:application/typescript,export const b: number = 2 as number; enum E { x = '7' } export const e = E.x";
import { c } from "data:text/javascript;base64,ZXhwb3J0IGNvbnN0IGMgPSAz";
import data from "data:application/json,{\"list\":[1,2]}" with { type: "json" };
import text from "data:text/plain,plain%20text" with { type: "text" };
import nested from "data:text/javascript,import x from 'data:text/javascript,export default 9'; export default x + 1";
import { basename } from "data:text/javascript,export { basename } from 'node:path'";
import "data:text/javascript,globalThis.fromData = 5";
export const result = async () => {
  const lazy = await import("data:text/javascript,export const lazy = typeof import.meta.filename + Object.keys(import.meta)");
  const again = await import("data:text/javascript,export const a = 1; export default import.meta.url");
  return [a, plain, b, c, data, text, nested, typeof basename, (globalThis as { fromData?: number }).fromData, lazy.lazy, again.default === plain];
};
