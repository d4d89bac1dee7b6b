// What nobody uses goes only if nothing notices whether it was there.
const noted: string[] = [];
const counts = { valueOf() { noted.push("valueOf"); return 1; }, toString() { noted.push("toString"); return "text"; } } as unknown as number;
const sum = counts + 1; const negative = -counts; const text = `${counts}`; const compared = counts < 2; const equal = counts == 1;
const keyed = { [counts]: 1 }; class Keyed { [counts]() {} static [`${counts}`] = 1; }
export const result = () => noted;
