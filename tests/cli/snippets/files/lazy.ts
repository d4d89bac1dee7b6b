import { value } from "./other.ts"; export default `lazy ${value}`; export const order = ["loaded"];
