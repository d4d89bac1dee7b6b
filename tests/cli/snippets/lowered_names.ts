// A file may have names that begin as those do that are added to it.
const __lowered = "mine", __lowered_ = "too", __import_meta = "also";
const noted: unknown[] = [];
const note = (...what: unknown[]) => (value: unknown, context: { name?: PropertyKey }) => { noted.push([...what, context.name]); return value as undefined; };
@note(__lowered)
class Decorated { constructor(private readonly __lowered_field1: number) {} @note(__lowered_) method() { return this.__lowered_field1; } twice = 2 * 2; }
export const result = () => [new Decorated(3).method(), new Decorated(1).twice, noted, __lowered + __lowered_ + __import_meta, typeof import.meta.url];
