// Names, lengths, arguments, defaults, closures over parameters.
const named = { arrow: () => {}, method() {}, async am() {}, *gen() {}, ["comp" + "uted"]: () => {}, get g() { return 1; } };
function sloppy(a: number, b = 2, ..._rest: number[]) { a = 5; return [arguments.length, arguments[0], a, b]; }
const scope = (() => { const x = "outer"; return ((f = () => x) => { const x = "inner"; return [f(), x]; })(); })();
const self = function me(n: number): number { return n ? n + me(n - 1) : 0; };
function Old(this: { v: number }, v: number) { this.v = v; } Old.prototype.get = function () { return this.v; };
const bound = function (this: unknown, ...a: unknown[]) { return [this, ...a]; }.bind("t", 1);
const recursive = (n: number): number => n < 2 ? n : recursive(n - 1) + recursive(n - 2);
let assigned; assigned = () => {}; const [inArray = () => {}] = []; const { inObject = function () {} } = {} as { inObject?: () => void };
export const result = () => [Object.entries(Object.getOwnPropertyDescriptors(named)).map(([, d]) => (d.value ?? d.get).name), sloppy(1), sloppy.length, scope, self(4), self.name, new (Old as never as new (v: number) => { get(): number })(3).get(), bound(2), bound.name, bound.length, recursive(15), assigned.name, inArray.name, inObject.name, (function () { return typeof this; } as () => string)(), (() => typeof this)(), new Function("a", "return a * 2")(4), (async () => {}).constructor.name, ((a: number, b: number) => a + b).length, (function () { "use strict"; return this; } as () => unknown)() === undefined];
