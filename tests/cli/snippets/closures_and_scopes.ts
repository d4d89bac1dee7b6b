// Shadowing, hoisting, temporal dead zones, and names that many scopes share.
const x = "module"; let counter = 0;
function outer() { const seen = [typeof inner, x]; { const x = "block"; seen.push(x); { let x = "deeper"; x += "!"; seen.push(x); } } function inner() { return x; } seen.push(inner()); return seen; }
const dead = () => { try { return before; } catch (e) { return (e as Error).name; } const before = 1; };
const params = (a: number, f = () => a) => { var a2 = a + 1; return [a, f(), a2]; };
const makers = Array.from({ length: 3 }, (_, i) => { const i2 = i; return { up: () => ++counter + i2, i }; }); const recursive = function self(n: number): number[] { return n ? [n, ...self(n - 1)] : []; };
const catching = () => { const e = "outer"; try { throw "thrown"; } catch (e) { return [e, (() => { const e = "inner"; return e; })()]; } finally { void e; } };
const typeofs = () => [typeof undeclared_name, typeof (() => {}), typeof null, typeof Symbol()]; declare const undeclared_name: string;
export const result = () => [outer(), dead(), params(1), makers.map((m) => m.up()), counter, recursive(3), catching(), typeofs(), (() => { for (var v = 0; v < 2; v++); return v; })(), ((y) => { { let y = 2; y++; } return y; })(1)];
