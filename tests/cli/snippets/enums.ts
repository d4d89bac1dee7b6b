// Enums with computed, negative, text and merged members.
enum Plain { A, B, C = 10, D }
enum Text { A = "a", B = `b${1}`, C = "x" + "y" }
enum Computed { A = 1 << 3, B = A | 1, C = "abc".length, D = -1, E = ~5, F = 7 % 4, G = 2 ** 10, H = 0x10, I = 1 / 4, J = Plain.D + 1, K = -7 >>> 28, L = +"7 ", M = Number("8\n") }
enum Plain2 { A = Plain.A, B = Computed.C }
const enum Inline { One = 1, Two = One * 2, Text = "t" }
enum Merged { A = 1 } enum Merged { B = A + 1 }
declare enum Ambient { X }
enum Odd { "with space" = 1, "quoted" = 2, NaN2 = 0 / 0, Inf = 1 / 0 }
export const result = () => [Object.entries(Plain), Plain[10], Text, Object.entries(Computed), Plain2, Inline.One, Inline.Two, Inline["Text"], Merged, Odd, Odd["with space"], Object.entries(Odd).map(([k, v]) => [k, String(v)]), typeof Plain];
