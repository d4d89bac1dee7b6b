// Generators: delegation, return, throw, spreading.
function* inner(): Generator<number, string, string> { const got = yield 1; try { yield got?.length ?? -1; } finally { yield 99; } return "inner"; }
function* outer(): Generator<unknown, string, string> { const back = yield* inner(); yield back; return "outer"; }
const infinite = { *[Symbol.iterator]() { let n = 0; while (true) yield n++; } };
async function* asynchronous() { yield 1; yield Promise.resolve(2); for await (const x of [Promise.resolve(3), 4]) yield x; }
export const result = async () => { const g = outer(); const seen: unknown[] = [g.next(), g.next("four"), g.return("early"), g.next(), g.next()];
  const [a, b, ...rest] = outer(); void rest; const [x, , y] = infinite; const collected = []; for await (const v of asynchronous()) collected.push(v);
  const t = inner(); t.next(); let thrown = ""; try { t.throw(new Error("in")); } catch (error) { thrown = (error as Error).message; }
  return [seen, a, b, x, y, collected, thrown, [...infinite[Symbol.iterator]().take(3).map((n) => n * 2)]]; };
