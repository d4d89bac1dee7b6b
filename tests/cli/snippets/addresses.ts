// Each address is a module of its own.
import { box as a } from "./box.ts"; import { box as b } from "./box.ts?x=1"; import { box as c } from "./box.ts#part"; import { box as d } from "./box.ts?x=1"; import note from "./note.txt?raw" with { type: "text" };
a.n += 1; b.n += 10; c.n += 100; d.n += 1000;
export const result = () => [a.n, b.n, c.n, d.n, a === b, b === d, note.length];
