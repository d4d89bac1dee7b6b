/** @jsxImportSource data:text/javascript,export%20const%20jsx=(...all)=>["jsx",...all],jsxs=(...all)=>["jsxs",...all],Fragment="fragment";// */
// A comment says where the functions come from.
export const result = () => [<div a="1" key="k">text<b /></div>, <><i>{[1, 2]}</i></>].map((it) => JSON.stringify(it));
