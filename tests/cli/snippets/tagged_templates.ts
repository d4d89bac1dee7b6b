// Tags get cooked and raw texts, the same list each time.
const seen = new Set<unknown>(); const tag = (strings: TemplateStringsArray, ...values: unknown[]) => { seen.add(strings); return { strings: [...strings], raw: [...strings.raw], values, frozen: Object.isFrozen(strings) }; };
const again = () => tag`a${1}\n${2}\u{1F600}`; const odd = tag`\unicode and \xerxes`;
const object = { tag(s: TemplateStringsArray) { return [this === object, s.length]; } };
export const result = () => [again(), again(), seen.size, odd, object.tag`x${1}y`, String.raw`\n${1}\t`, `a${`b${"c"}`}`, `${{ toString: () => "s", valueOf: () => 1 }}` + { toString: () => "s", valueOf: () => 1 }, ((s: TemplateStringsArray) => (t: TemplateStringsArray) => s[0] + t[0])`x``y`, `line
two`, `\0|\x41|\u0041|${null}${undefined}`, `$\{not}`, `</script>`, tag`</script>`.raw];
