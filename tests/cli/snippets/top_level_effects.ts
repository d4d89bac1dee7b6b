// What modules do while they load, in their order.
import { log } from "./log.ts"; import "./first.ts"; import { second } from "./second.ts"; import "./first.ts";
log.push("entry"); await null; log.push("entry after await"); export const early = log.length; try { await Promise.reject(new Error("top")); } catch (error) { log.push((error as Error).message); }
for await (const n of (async function* () { yield 1; yield 2; })()) log.push(`n${n}`);
export const result = () => [log, second, early];
