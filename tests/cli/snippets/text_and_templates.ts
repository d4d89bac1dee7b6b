// Text in all its spellings.
const n = 5; const nested = `a${`b${`c${n}`}`}d`; const lines = `one
  two\
 three`; const raw = String.raw`\d+\u0041${n}\``; const quotes = ['\'', "\"", `\``, "tab\there", "nul\0end", "\
continued", "emoji 😀".length, "\u2028".length, "é".normalize("NFD").length === 2 || "é".length];
export const result = () => [nested, lines, raw, quotes.map(String).filter((q) => !q.includes("103")), `${null}${undefined}${true}${[1, 2]}${{}}`, `${n + 1}${n > 3 ? "big" : "small"}`, "a".concat(`${n}`), `\${n}`, `$${n}`, `{${n}}`, "%s", `${"`"}`, [`a`, 'b', "c"].join(`-`), `${(() => { const x = `inner ${n}`; return x; })()}`, "</script><!--", "//# sourceMappingURL=none", "/* not a comment */", `// ${"neither"}`, "use strict", "import x from 'y'", "require('z')", "\u200b|\ufeff|".length];
