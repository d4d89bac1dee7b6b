/** @jsx h */
/** @jsxFrag Part */
const h = (...all: unknown[]) => all;
const Part = "part";
export const result = () => JSON.stringify(<div a="1"><>x</></div>);
