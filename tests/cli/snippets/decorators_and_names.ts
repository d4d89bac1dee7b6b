// An anonymous class has the name of what it becomes, wherever it stands.
// deno-lint-ignore no-explicit-any
type Any = any;
const log: unknown[] = [];
const noted = (_value: Any, context: Any): Any => { log.push([context.kind, context.name]); };
const later = <T>(value: T) => new Promise<T>((resolve) => setTimeout(() => resolve(value), 1));
let assigned: Any; assigned = class { @noted m() {} };
let either: Any; either ??= class { @noted m() {} };
const held = { member: class { @noted m() {} }, "a-b": class { @noted m() {} }, 7: class { @noted m() {} }, named: class Own { @noted m() {} } };
const given = (value: Any = class { @noted m() {} }) => value; const { part = class { @noted m() {} } }: Any = {}; const [item = class { @noted m() {} }]: Any = [];
class Holder { field = class { @noted m() {} }; static fixed = class { @noted m() {} }; }
const decorated = @noted class { m() { return decorated.name; } }; const inObject = { decorated: @noted class {} };
const called = ((value: Any) => value)(class { @noted m() {} }); const member: Any = {}; member.other = class { @noted m() {} };
const waited = class { @(await later(noted)) m() {} [await later("key")]() {} }; const whole = @(await later(noted)) class {};
export default @noted class { m() {} }
export const result = () => [assigned, either, held.member, held["a-b"], held[7], held.named, given(), part, item, new Holder().field, Holder.fixed, decorated, inObject.decorated, called, member.other, waited, whole].map((it) => it.name).concat([new decorated().m(), Object.getOwnPropertyNames(waited.prototype), log] as Any);
