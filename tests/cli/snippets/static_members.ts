// Static fields and blocks in their order, with `this`, inheritance and shadowing.
const log: string[] = [];
class A { static a = log.push("a"); static { log.push(`block ${this.a}`); this.b = 5; } static b: number; static c = this.b; static name2 = this.name; static #p = 9; static read = () => this.#p; static { try { throw new Error("in block"); } catch (e) { log.push((e as Error).message); } } }
class B extends A { static override a = super.a + 1; static d = B.a; static override c = super.c ?? "none" as never; }
export const result = () => [log, A.a, A.b, A.c, A.name2, A.read(), B.a, B.d, B.c, Object.keys(A), Object.keys(B), B.b];
