// Exported variables of namespaces are live, from inside and from outside.
namespace N { export let count = 0; export function inc() { count++; return count; } export namespace M { export let b = 2, c = "c"; export const f = () => { b += 1; return b; }; export var late; late = "set"; } }
export const result = () => { N.inc(); N.inc(); N.M.f(); N.M.c = "from outside"; N.count += 10; return [N.count, N.inc(), N.M.b, N.M.c, N.M.late, Object.keys(N), Object.keys(N.M), JSON.stringify(N)]; };
