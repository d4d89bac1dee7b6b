export default (() => 5);
