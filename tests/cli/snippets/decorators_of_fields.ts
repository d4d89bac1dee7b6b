// Decorators of fields and accessors.
// deno-lint-ignore no-explicit-any
type Any = any;
const log: unknown[] = [];
const add = (n: number) => (_value: Any, context: Any) => { log.push([context.kind, String(context.name), n, Object.keys(context.access)]); return (initial: number) => (initial ?? 0) + n; };
const watched = (value: Any, context: Any) => ({ get(this: Any) { log.push(["get", String(context.name)]); return value.get.call(this); }, set(this: Any, v: number) { value.set.call(this, v * 10); }, init: (v: number) => v + 1 });
const reach: Any = {};
const keep = (_v: Any, context: Any) => { reach[String(context.name)] = context.access; };
class Point {
  before = log.push("before");
  @add(1) @add(10) x = 1;
  @add(2) y!: number;
  @add(3) static z = 3;
  @add(4) #hidden = 4;
  @watched accessor w = 5;
  @watched static accessor fixed = 6;
  @watched accessor #own = 7;
  @keep kept = "k";
  @keep accessor held = "h";
  @keep #deep = "d";
  @keep method() { return 1; }
  @add(5) "quoted" = 1;
  @add(6) 12 = 2;
  plain = this.x;
  read() { this.#own = 8; return [this.#hidden, this.#own, this.#deep]; }
}
export const result = () => {
  const p = new Point();
  p.w = 2; Point.fixed = 3;
  reach.kept.set(p, "other"); reach.held.set(p, "else");
  return [p, Object.keys(p), p.y, Point.z, p.w, Point.fixed, p.read(), reach.kept.get(p), reach.held.get(p), reach.kept.has(p), reach.kept.has({}), reach.method.get(p) === p.method, log];
};
