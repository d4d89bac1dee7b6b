// Defaults with effects, in their order, and only where needed.
const log: string[] = []; const say = <T,>(text: string, value: T) => { log.push(text); return value; };
const { a = say("a", 1), b: { c = say("c", 2), ...d } = say("b", { c: undefined, x: 1, y: 2 }) as Record<string, unknown>, [say("key", "computed")]: e = say("e", 3) } = { a: null, computed: undefined } as Record<string, unknown> as { a: unknown; b?: Record<string, unknown>; computed?: unknown };
const [f = say("f", 4), , [g, h = say("h", g)] = [5], ...i] = [undefined, 0, undefined, 6, 7] as unknown as [number, number, number[], ...number[]];
const params = ({ x = say("x", 1), y = x + 1 } = {} as { x?: number; y?: number }, [z = y] = [] as number[], ...rest: number[]) => [x, y, z, rest, params.length];
let p = 1, q = 2; [p, q] = [q, p]; const target: Record<string, unknown> = {}; ({ p: target.p, q: target["q"], ...target.rest } = { p, q, r: 3 } as never);
const loop = []; for (const [k, { v = say("v", k) }] of Object.entries({ one: {}, two: { v: "given" } } as Record<string, { v?: string }>)) loop.push(k, v);
const caught = (() => { try { const { deep: { missing } } = {} as never; return missing; } catch (error) { return (error as Error).name; } })();
export const result = () => [a, c, d, e, f, g, h, i, params(), params({ x: 5 }, [6], 7, 8), p, q, target, loop, caught, log];
