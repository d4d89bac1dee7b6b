export let count = 0; export const bump = () => { count += 1; }; export const value = "value"; export type Kind = string; export default function () { return "standard"; }
