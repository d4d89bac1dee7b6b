// Fields are defined, not assigned.
class Base { set x(_v: number) { log.push("setter"); } get x() { return 1; } made = log.push("base"); }
const log: string[] = [];
class Derived extends Base { override x = 5; y; static s = this.name; "a-b" = 1; [Symbol.iterator] = 2; fn = () => this.x; constructor() { log.push("before"); super(); log.push("after"); } }
export const result = () => { const d = new Derived(); return [log, Object.entries(d).map(([k, v]) => [k, typeof v]), Derived.s, d.fn.name, "y" in d, Object.getOwnPropertyDescriptor(d, "x")]; };
