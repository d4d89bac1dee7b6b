// Modules that import each other, functions before values, re-exports of what is live.
import { even, seenByEven } from "./even.ts"; import { count, step, default as live } from "./live.ts"; import * as all from "./even.ts";
export const shared = "shared"; export function hoisted() { return "hoisted"; }
export const result = () => { const before = [count, live]; step(); return [even(10), even(7), seenByEven(), before, count, live, Object.keys(all), typeof all.again]; };
