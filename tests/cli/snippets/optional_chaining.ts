// Chains stop early and evaluate nothing behind.
let calls = 0; const count = () => { calls += 1; return "k"; };
type Any = { [key: string]: Any } | undefined | null; const none = null as Any; const some = { a: { b: () => "called", n: 0 } } as unknown as { a: { b?: () => string; n: number; [k: string]: unknown }; z?: { f(): void }; [k: string]: unknown };
class Private { #x = 1; static read(p?: Private) { return p?.#x; } }
export const result = () => [none?.a?.[count()], calls, some.a?.b?.(), some.z?.f(), (some.a?.b)?.call(null), none?.a === undefined, delete (some as Record<string, unknown>)?.zz, some?.["a"]?.n ?? "never", some.a.n || "zero", none ?? (false || null) ?? "last", Private.read(new Private()), Private.read(), (() => { try { return (none as never as { a: { b: 1 } })?.a.b; } catch { return "threw"; } })(), (() => { let x = some as typeof some | null; x &&= null; x ??= { a: { n: 5 } } as unknown as typeof some; let y = 0; y ||= 7; return [x.a.n, y]; })()];
