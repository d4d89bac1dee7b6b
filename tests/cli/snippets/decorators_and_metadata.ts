// Metadata of decorators is inherited; a decorator that does not behave is told so.
// deno-lint-ignore no-explicit-any
type Any = any;
const tag = (name: string) => (_v: Any, c: Any) => { c.metadata[name] = (c.metadata[name] ?? 0) + 1; };
@tag("class") class Base { @tag("field") a = 1; @tag("method") m() {} }
class Derived extends Base { @tag("method") n() {} }
const key = (Symbol as Any).metadata ?? Symbol.for("Symbol.metadata");
const attempt = (run: () => unknown) => { try { run(); return "no error"; } catch (error) { return `${(error as Error).name}: ${(error as Error).message}`; } };
let late: Any;
export const result = () => [
  { ...(Base as Any)[key] }, { ...(Derived as Any)[key] }, (Derived as Any)[key].field, Object.getPrototypeOf((Derived as Any)[key]) === (Base as Any)[key],
  attempt(() => { class A { @((() => 1) as Any) m() {} } return A; }),
  attempt(() => { class A { @((() => 1) as Any) f = 1; } return A; }),
  attempt(() => { class A { @((() => 1) as Any) accessor f = 1; } return A; }),
  attempt(() => { class A { @((_v: Any, c: Any) => c.addInitializer(1)) m() {} } return A; }),
  attempt(() => { class A { @((_v: Any, c: Any) => { late = c; }) m() {} } late.addInitializer(() => {}); return A; }),
];
