// A class whose only decorators are those of fields.
// deno-lint-ignore no-explicit-any
type Any = any;
const log: string[] = [];
const started = (_v: Any, c: Any) => { c.addInitializer(function () { log.push(`started ${String(c.name)}`); }); return (v: Any) => { log.push(`value ${String(c.name)}`); return v; }; };
class OnlyFields { @started a = 1; @started b = 2; }
class OnlyStatic { @started static c = 3; }
class Mixed { @started d = 4; @started m() {} }
class MixedStatic { @started static e = 5; @started static m() {} @started f = 6; }
class Extended extends OnlyFields { @started g = 7; constructor() { log.push("constructor"); super(); log.push("done"); } }
export const result = () => [new OnlyFields(), OnlyStatic.c, new Mixed(), new MixedStatic(), MixedStatic.e, new Extended(), log];
