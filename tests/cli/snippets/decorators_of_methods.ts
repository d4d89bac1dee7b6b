// Decorators of methods, getters and setters: order, contexts, replacements.
const log: unknown[] = [];
// deno-lint-ignore no-explicit-any
type Any = any;
const note = (label: string) => { log.push(["made", label]); return (value: Any, context: Any) => {
  log.push(["applied", label, context.kind, String(context.name), context.static, context.private, typeof value, Object.keys(context), Object.keys(context.access)]);
  context.addInitializer(function (this: Any) { log.push(["initialized", label, typeof this]); });
}; };
const twice = (value: Any, _context: Any) => function (this: Any, ...args: Any[]) { return 2 * value.apply(this, args); };
const key = (text: string) => { log.push(["key", text]); return text; };
class Service {
  base = 10;
  @note("a") @note("b") plain() { return 1; }
  @twice double(n: number): Any { return n + this.base; }
  @note("computed") [key("made up")]() { return 2; }
  @note("static") static fixed() { return 3; }
  @note("get") get value() { return 4; }
  @note("set") set value(v: number) { log.push(["set", v]); }
  @note("private") #hidden() { return 2 * this.base; }
  @twice static #own(): Any { return 3; }
  @note("private get") get #part() { return 6; }
  @note("private set") set #part(v: number) { log.push(["set private", v]); }
  @note("async") async later() { return await Promise.resolve(7); }
  @note("generator") *many() { yield 8; yield 9; }
  @note("string") "with space"() { return 10; }
  all() { this.#part = 1; return [this.#hidden(), Service.#own(), this.#part]; }
}
export const result = async () => {
  const s = new Service() as Any;
  s.value = 5;
  return [s.plain(), s.double(1), s["made up"](), Service.fixed(), s.value, s.all(), await s.later(), [...s.many()], s["with space"](), Object.keys(s), log];
};
