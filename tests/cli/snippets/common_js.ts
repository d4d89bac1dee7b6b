// Local files of CommonJS: the default is all of `module.exports`, names are those that their text shows.
import whole, { later, one } from "./kept.cjs";
import * as all from "./kept.cjs";
import compiled, { two } from "./compiled.cjs";
import * as allCompiled from "./compiled.cjs";
import call from "./called.cjs";

export const result = async () => {
  const lazy = await import("./kept.cjs");
  return [
    Object.keys(whole),
    one,
    typeof later,
    whole.isItself(),
    Object.keys(all),
    all.default === whole,
    compiled,
    two,
    Object.keys(allCompiled),
    call(3),
    lazy.default === whole,
    Object.keys(lazy),
  ];
};
