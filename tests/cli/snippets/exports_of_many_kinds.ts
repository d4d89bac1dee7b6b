// Exported functions, classes, lists and renamed things.
export function hoisted() { return result.length; } export default class { made = 1; } export let changing = 1; export const change = () => { changing += 1; return changing; };
const local = 3; export { local as renamed, local as "text name" }; export const { x, y: [z] } = { x: 1, y: [2] }; export async function* stream() { yield 1; } export enum Exported { A = 1 } export namespace Space { export const inside = 5; } export type Gone = string; export interface AlsoGone { a: 1 }
export function result() { return [hoisted(), change(), changing, local, x, z, Exported.A, Space.inside, typeof stream]; }
