// Decorators of classes, and what they put in the place of one.
// deno-lint-ignore no-explicit-any
type Any = any;
const log: unknown[] = [];
const noted = (value: Any, context: Any) => { log.push([context.kind, context.name, Object.keys(context), typeof value]); context.addInitializer(function (this: Any) { log.push(["ready", this.name, this.count]); }); };
const replaced = (value: Any, _c: Any) => class Other extends value { extra = "extra"; static more = 1; };
@noted class Plain { static count = 2; x = 1; static make() { return new Plain(); } }
@noted @replaced class Gone { y = 1; static self() { return Gone.name; } }
const Expression = @noted class Named { z = 1; };
const Anonymous = class { @((_v: Any, c: Any) => { log.push(c.name); }) m() { return "m"; } };
const scoped = (q: number) => { @noted class Inner { v = q; } return Inner; };
@noted export class Exported { e = 1; }
export @noted class After { e = 2; }
@noted abstract class Shape { abstract area(): number; twice() { return 2 * this.area(); } }
class Square extends Shape { constructor(private side: number) { super(); } area() { return this.side ** 2; } }
export const result = () => [Plain.name, new Plain(), Plain.make() instanceof Plain, Gone.name, new Gone(), (Gone as Any).more, Expression.name, new Expression(), Anonymous.name,
  new Anonymous().m(), new (scoped(5))(), new (scoped(6))(), new Exported(), new After(), new Square(3).twice(), log];
