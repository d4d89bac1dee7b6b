// Classes that a decorated accessor stands in: undecorated members beside it.
// deno-lint-ignore no-explicit-any
const d = (_v: any, _c: any) => {};
class A { @d accessor a = 1; @d static accessor b = this.name; @d accessor c; static d = A.b; other = 2; }
class B extends A { get up() { return [super.a, this.a]; } }
export const result = () => { const a = new A(); a.a += 1; return [a.a, A.b, a.c, A.d, Object.keys(a), Object.keys(Object.getOwnPropertyDescriptors(A.prototype)), new B().up, Object.getOwnPropertyDescriptor(A.prototype, "a")?.enumerable]; };
