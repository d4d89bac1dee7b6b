import { log } from "./log.ts"; log.push("second"); export const second = log.length;
