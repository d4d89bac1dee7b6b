// JSX calls `React.createElement` where nothing says something else.
const React = { createElement: (...all: unknown[]) => all, Fragment: "fragment" };
const more = { b: 2 };
export const result = () => [<div a="1" {...more}>text {1 + 1}<></></div>, <p.q r-s="t" />, (<div>  two
  lines &amp; more </div>)].map((it) => JSON.stringify(it));
const p = { q: "member" };
