export const box = { n: 0 };
