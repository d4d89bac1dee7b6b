// Namespaces that export, nest and merge.
namespace Shapes { export const unit = 1; const hidden = 2; export function area(n: number) { return n * unit * hidden; } export namespace Deep { export let count = 0; export const next = () => ++count; } export enum Kind { Round = "round" } export class Box { side = unit; } }
namespace Shapes { export const more = Shapes.unit + 1; }
function tool() { return tool.version; } namespace tool { export const version = "1.2"; }
class Host { static of() { return Host.extra; } } namespace Host { export const extra = "merged"; }
import Alias = Shapes.Deep;
namespace Types { export interface Only { a: 1 } }
export const result = () => [Object.keys(Shapes), Shapes.area(3), Alias.next(), Alias.next(), Shapes.Deep.count, Shapes.Kind.Round, new Shapes.Box(), Shapes.more, tool(), Host.of(), typeof (globalThis as Record<string, unknown>).Types];
