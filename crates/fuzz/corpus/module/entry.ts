import { z } from "npm:zod@4";
import type { T } from "./types.ts";
import "./side.ts";
export * from "./_lib/all.ts";
export { a as b, default } from "jsr:@std/path@^1";
const later = await import("./later.ts");
@decorated
class A<T> { #x = 1; constructor(private readonly y: T) {} accessor z = `${1 + `${2}`}`; static { A.name; } }
export const model = { type: "@acme/zone", version: "2026.11.30.1", globalArguments: z.object({}), methods: {} };
export enum E { One = 1, Two = "2" }
declare module "x" { export const y: number; }
