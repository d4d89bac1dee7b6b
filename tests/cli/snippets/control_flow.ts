// Labels, switches, finally, loops and their closures.
const log: unknown[] = [];
const labelled = () => { const out = []; outer: for (let i = 0; i < 4; i++) { inner: for (let j = 0; ; j++) { if (j === 2) continue outer; if (i === 3) break outer; if (i === 1) break inner; out.push(i * 10 + j); } } block: { out.push("in"); if (out.length) break block; out.push("never"); } return out; };
const switched = (v: unknown) => { const out = []; switch (v) { case log.push("case"): out.push("count"); case 1: out.push(1); case 2: { let x = 5; out.push(x); break; } default: out.push("default"); case 3: out.push(3); } return out; };
const final = () => { for (const x of [1, 2, 3]) { try { if (x === 2) continue; if (x === 3) return x; log.push(x); } finally { log.push(`f${x}`); } } };
const overridden = () => { try { return "try"; } finally { return "finally"; } };
const closures = () => { const fns = []; for (let i = 0; i < 3; i++) { fns.push(() => i); i += 0; } var v; for (v = 0; v < 2; v++) fns.push(() => v); for (const k in { a: 1, b: 2 }) fns.push(() => k); return fns.map((f) => f()); };
const order = () => { const out: string[] = []; for (const k in { b: 1, 2: 1, a: 1, 1: 1, [-1]: 1 }) out.push(k); do { out.push("once"); } while (false); return out; };
const hoisting = () => { const before = typeof later; function later() {} { function later2() { return 1; } void later2; } return [before, typeof (() => { try { return tdz; } catch (e) { return (e as Error).name; } let tdz = 1; })()]; };
const early = () => { throw new Error("unreachable"); var x = 1; return x; };
export const result = () => [labelled(), switched(1), switched(9), switched(2), switched(5), final(), overridden(), closures(), order(), hoisting(), log, (() => { try { return early(); } catch (e) { return (e as Error).message; } })(), (() => { comma: for (let a = 0, b = 9; a < b; a++, b--) { if (a === 3) { return [a, b]; } continue comma; } })()];
