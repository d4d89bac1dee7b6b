// Variables that are declared again, and what is declared and has no code.
declare global {
  namespace AppTypes {
    export let count: number;
  }
}
declare namespace Outer {
  namespace Inner {
    export let value: number;
  }
}

var settings: Record<string, number> = {};
var settings: Record<string, number> = { a: 1 };
var late: any;
var late: any = () => 7;

export const result = () => {
  const cloned = structuredClone(JSON.parse('{"__proto__":{"admin":true}}'));
  const groups = ["b2", "a1"].map((text) => /(?<letter>[a-z])/.exec(text)!.groups!);
  const sorted = groups.toSorted((left, right) => (left.letter < right.letter ? -1 : 1)).map((group) => group.letter);
  return [settings, late(), cloned.admin ?? null, Object.keys(cloned), sorted];
};
