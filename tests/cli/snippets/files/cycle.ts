import { here } from "./modules.ts"; export const cyclic = () => `cyclic ${here()}`;
