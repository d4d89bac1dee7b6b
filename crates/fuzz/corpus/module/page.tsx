/** @jsxImportSource npm:preact */
export const report = <T,>(props: T) => <div title={`a${1}`} {...props}>{/* c */}<><b>&amp;</b></></div>;
const re = /[/\]]+(?<name>x)/giu, s = a / b / c;
