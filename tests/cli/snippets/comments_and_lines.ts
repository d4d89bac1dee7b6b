// Semicolons that are not written, comments in odd places, odd characters.
const a = 1
const b = a
+ 2
let c = a
;[1, 2].forEach((n) => c += n)
const d = (() => {
  return
  1
})()
const e = /* before */ a /* between */ + /* after */ b // end
const f = `a${/* in */ 1}b`; const g = { a, /* x */ b, }; const \u0061bc = 1; const ünïcode = 2; const 变量 = 3; const $ = 4, _ = 5;
let i = 1
i
++
c
const html = "<!-- not -->"; const sep = "\u2028|u2029".length
export const result = () => [a, b, c, d, e, f, g, abc, ünïcode, 变量, $, _, i, html]
