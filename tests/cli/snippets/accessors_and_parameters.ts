// Accessors wait for parameter properties as fields do; a namespace may hold something of its own name.
// deno-lint-ignore no-explicit-any
type Any = any;
const noted = (_value: Any, _context: Any): Any => {};
class Accessors { accessor first = this.given * 2; @noted accessor second = this.given * 3; accessor third; static accessor fixed = 5; plain = this.given; @noted accessor fourth: number | undefined; constructor(protected given: number) { this.third = given; } sum() { return this.first + this.second + this.third; } }
class Below extends Accessors { accessor more = this.given + 1; constructor(given: number, private own = 4) { super(given); } total() { return this.more + this.own; } }
const given = 100;
namespace Same { export const Same = 1; export let changing = 2; export const change = () => { changing += 1; }; }
namespace Both { export let count = 0; export const step = () => { count += 1; return Both.count; }; export function inner() { return typeof Both; } }
export const result = () => [new Accessors(2).sum(), Accessors.fixed, new Below(3).total(), new Accessors(1).fourth, Same.Same, Both.step(), Both.inner(), given, Object.keys(new Accessors(9)), (Same.change(), Same.changing)];
