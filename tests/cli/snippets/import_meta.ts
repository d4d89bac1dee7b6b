// Each module is told of its own file, whatever it is bundled into.
import { itself, theirs } from "./told.js"; import { itself as queried } from "./told.js?x=1"; import { itself as fragment } from "./told.js#part";
const early = () => import.meta.url;
class Kept { @((value: unknown) => value as undefined) here = import.meta.filename; static #dir = import.meta.dirname; static get dir() { return Kept.#dir; } }
export const result = () => {
  const meta = import.meta as ImportMeta & { added?: number };
  meta.added = 4;
  const attempt = (name: unknown) => { try { return import.meta.resolve(name as string); } catch (error) { return String(error); } };
  return [
    import.meta.url, import.meta.filename, import.meta.dirname, import.meta.main, early(), Object.keys(import.meta), JSON.stringify(import.meta), Object.getPrototypeOf(import.meta),
    meta === import.meta, "added" in import.meta, delete meta.added, `${new URL("./data.json", import.meta.url)}`, `${new URL(".", import.meta.url)}`,
    ["./x#y", "../z?w", "/etc/x", "npm:zod@4", "node:fs", "fs", "https://a/b", "data:text/plain,x", "zod", "#x", "", undefined, 5].map(attempt), import.meta.resolve.length,
    itself, queried, fragment, theirs() === import.meta, new Kept().here, Kept.dir, typeof import.meta.resolve, import.meta["url"] === early(), (({ url }) => url)(import.meta),
  ];
};
