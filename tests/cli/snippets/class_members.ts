// Static blocks, private names, accessors, inheritance.
const log: string[] = [];
class Counter { static #all = 0; static { log.push("block", String(Counter.#all)); } #n = 0; static made = Counter.#bump(); static #bump() { return ++Counter.#all; }
  get n() { return this.#n; } set n(v) { this.#n = v; } #inc() { this.#n += 1; return this; } twice() { return this.#inc().#inc().n; } static is(v: object) { return #n in v; } }
class Named { static name = "own"; toString() { return "named"; } get [Symbol.toStringTag]() { return "Tag"; } }
class Sub extends Array<number> { sum() { return this.reduce((a, b) => a + b, 0); } }
abstract class Abstract { abstract go(): string; static of(make: () => Abstract) { return make().go(); } }
const Mixin = <T extends new (...a: never[]) => object>(base: T) => class extends base { mixed = true; };
class Mixed extends Mixin(Counter) {}
class Super { who() { return "super"; } static who() { return "static super"; } }
class Below extends Super { override who() { return `below ${super.who()} ${(() => super.who())()}`; } static override who() { return `below ${super.who()}`; } }
export const result = () => { const c = new Counter(); c.n = 3; return [log, c.twice(), Counter.is(c), Counter.is({}), Counter.made, Named.name, String(new Named()), Object.prototype.toString.call(new Named()), Sub.from([1, 2]).sum(),
  Abstract.of(() => new (class extends Abstract { go() { return "went"; } })()), new Mixed(), Mixed.name, new Below().who(), Below.who(), (class {}).name, (() => {}).name, new (class A { static B = class {}; })().constructor.name]; };
