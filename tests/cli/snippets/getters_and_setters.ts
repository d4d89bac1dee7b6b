// Accessors that are inherited, overridden, deleted and redefined.
class Base { #v = 1; get v() { return this.#v; } set v(x: number) { this.#v = x * 2; } static get kind() { return "base"; } }
class Derived extends Base { override get v() { return super.v + 100; } override set v(x: number) { super.v = x + 1; } }
class OnlyGetter extends Base { override get v() { return 7; } }
export const result = () => { const d = new Derived(); d.v = 5; const g = new OnlyGetter(); let error = ""; try { (g as { v: number }).v = 1; } catch (e) { error = (e as Error).name; } const o = { get a() { return 1; }, b: 2 }; Object.defineProperty(o, "b", { get: () => 3, enumerable: false, configurable: true }); const copy = { ...o }; delete (o as { b?: number }).b; return [d.v, g.v, error, Derived.kind, copy, o, Object.entries(Object.getOwnPropertyDescriptors(Base.prototype)).map(([k, x]) => [k, typeof x.get])]; };
