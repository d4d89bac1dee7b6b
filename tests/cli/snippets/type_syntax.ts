// Types leave no trace.
interface A { a: number } type B = A & { b?: string };
const satisfied = { a: 1, b: "x" } satisfies B;
const asserted = <T,>(value: unknown) => value as T;
const nonNull = (value?: number) => value! + 1;
function overloaded(a: string): string; function overloaded(a: number): number; function overloaded(a: unknown) { return a; }
function guarded(value: unknown): asserts value is string { if (typeof value !== "string") throw new TypeError("no text"); }
const generic = async <const T extends readonly unknown[]>(...items: T): Promise<T> => items;
abstract class Kept<in out T> { declare readonly gone: T; constructor(protected readonly kept?: T) {} }
let definite!: number; definite = 4;
type Mapped = { readonly [K in keyof A as `x${K}`]-?: A[K] };
const mapped: Mapped = { xa: 1 };
const fn = function (this: { n: number }, plus: number) { return this.n + plus; };
export const result = async () => { let message = ""; try { guarded(1); } catch (error) { message = (error as Error).message; }
  return [satisfied, asserted<number>(2), nonNull(3), overloaded("o"), message, await generic(1, "two"), new (class extends Kept<string> {})("k"), definite, mapped, fn.call({ n: 1 }, 2), fn.length, overloaded.name]; };
