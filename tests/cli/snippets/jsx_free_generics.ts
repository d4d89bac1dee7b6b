// Angle brackets that are no comparison, and comparisons that look like some.
const id = <T,>(v: T): T => v; const f = (a: unknown, b?: unknown) => [a, b]; const a = 1, b = 2, c = 3;
const pair = f((a < b), c > (a + b)); const inst = Array<number>; const call = id<number>(4); const made = new Map<string, Array<Set<number>>>(); const shifted = 64 >> 2 >>> 1;
const arrow = async <T extends object>(v: T) => ({ ...v }); const cast = id(<const T,>(x: T) => x)("c"); const ternary = a ? (b): number => b * 2 : (c: number): number => c; const nested = ((x?: number) => x ? id<(y: number) => number>((y) => y + x) : undefined)(1)?.(2);
export const result = async () => [pair, inst.name, call, made.size, shifted, await arrow({ q: 1 }), cast, ternary(3), nested, a as number < b, (a satisfies number) + 1];
