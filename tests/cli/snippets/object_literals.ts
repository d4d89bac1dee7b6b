// Getters, setters, methods, computed keys, spreads and __proto__ in literals.
const log: string[] = []; const key = (k: string) => { log.push(k); return k; };
const base = { greet() { return "base"; }, get lazy() { log.push("lazy"); return 1; } };
const object = { __proto__: base, get value() { return this.n; }, set value(v: number) { this.n = v; }, n: 1, greet() { return `own ${super.greet()}`; }, [key("b")]: 2, [key("a")]: 1, async later() { return await 1; }, *many() { yield 1; }, "__proto__x": 1, 1.50: "number", 0x10: "hex", 1_000: "grouped", 9n: "big" };
const { n, ...others } = object; const spread = { a: 1, ...base, ...null, ...[9], a2: 2 };
const shorthand = (() => { const proto = 5; return { proto }; })();
export const result = async () => { object.value = 7; return [object.value, object.greet(), Object.keys(object), n, Object.keys(others), spread, log, await object.later(), [...object.many()], Object.keys(shorthand).length, Object.hasOwn(object, "__proto__"), Object.getOwnPropertyDescriptor(object, "value")?.set?.name]; };
