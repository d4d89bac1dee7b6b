// Modules that are imported for what they do.
import "./marks.ts"; import {} from "./marks-empty.ts"; import { unusedName } from "./marks-unused.ts"; export * as kept from "./marks-star.ts";
type T = typeof unusedName; const nothing = undefined as T | undefined;
export const result = () => [(globalThis as unknown as { marks: string[] }).marks.toSorted(), typeof nothing];
