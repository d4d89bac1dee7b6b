// Decorated classes with parameter properties, and decorators that are members and calls.
// deno-lint-ignore no-explicit-any
type Any = any;
const registry = { entries: [] as string[], add(_v: Any, c: Any) { registry.entries.push(`${c.kind} ${String(c.name)}`); }, named: (name: string) => (_v: Any, _c: Any) => { registry.entries.push(name); } };
const upper = (_v: Any, _c: Any) => (v: string) => v.toUpperCase();
class Job { @upper label = `job ${this.id}`; @registry.add run() { return this.id; } @registry.named("stop") stop() {} other = this.label; constructor(readonly id: string) {} }
class Special extends Job { @upper kind = this.id + this.n; constructor(id: string, private n: number) { super(id); } }
export const result = () => [new Job("a"), new Job("b").run(), new Special("c", 1), registry.entries];
