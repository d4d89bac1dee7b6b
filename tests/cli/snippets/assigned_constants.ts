// An assignment to what cannot be assigned to is an error when it is made, not before.
import { count as value, step as set } from "./live.ts"; import * as live from "./live.ts";
const c = 1; const o = { c: 5, d: 6 }; const order: unknown[] = [];
const attempt = (run: () => unknown) => { try { return run(); } catch (error) { return `${(error as Error).name}: ${(error as Error).message}`; } };
const say = (what: unknown) => { order.push(what); return what as never; };
export const result = () => [
  attempt(() => { c = 2; }), attempt(() => { c += say("x"); }), attempt(() => c++), attempt(() => --c), attempt(() => { c = c = say("twice"); }), attempt(() => (c as unknown as string) = "x"),
  attempt(() => { value = say(3); }), attempt(() => { live = say(4); }), attempt(() => { live.count = say(5); }), attempt(() => { delete (live as { count?: number }).count; }), attempt(() => { (live as Record<string, unknown>)["zz"] = 1; }), attempt(() => { live.count++; }), attempt(() => delete (live as Record<string, unknown>).zz),
  attempt(() => { [c] = [say("list")]; }), attempt(() => { ({ c } = o); }), attempt(() => { ({ c = 4 } = o); }), attempt(() => { ({ d: c } = o); }), attempt(() => { for (c of [1]) ; }), attempt(() => { for (c in o) ; }), attempt(() => { [live.count] = [say(7)]; }),
  attempt(() => c ||= say("never")), attempt(() => { c &&= say("and"); }), attempt(() => c ??= say("never")), c, value, live.count, typeof set, order,
];
