export interface Shape { a: number } type D = number; export default D;
