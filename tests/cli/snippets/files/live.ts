export let count = 0; let current = "first"; export { current as default }; export const step = () => { count += 1; current = "second"; };
