// Globals that Deno has and this engine may lack. Whoever finds one here finds a stand-in, unless the engine or another part of
// the prelude has the real one: no module is wrong for naming it.

/** What can be called or constructed. */
export const FUNCTIONS = [
  "BroadcastChannel", "Buffer", "ByteLengthQueuingStrategy", "Cache", "CacheStorage", "CloseEvent", "CompressionStream",
  "CountQueuingStrategy", "Crypto", "CryptoKey", "DecompressionStream", "DOMMatrix", "DOMMatrixReadOnly", "DOMPoint",
  "DOMPointReadOnly", "DOMQuad", "DOMRect", "DOMRectReadOnly", "ErrorEvent", "EventSource", "FileReader", "ImageBitmap",
  "ImageBitmapRenderingContext", "ImageData", "Location", "Lock", "LockManager", "MessageChannel", "MessageEvent", "MessagePort",
  "Navigator", "NavigatorUAData", "OffscreenCanvas", "Performance", "PerformanceEntry", "PerformanceMark", "PerformanceMeasure",
  "PerformanceObserver", "PerformanceObserverEntryList", "ProgressEvent", "PromiseRejectionEvent", "QuotaExceededError",
  "ReadableByteStreamController", "ReadableStreamBYOBReader", "ReadableStreamBYOBRequest", "ReadableStreamDefaultController",
  "ReadableStreamDefaultReader", "Storage", "SubtleCrypto", "TextDecoderStream", "TextEncoderStream", "TransformStream",
  "TransformStreamDefaultController", "URLPattern", "WebSocket", "Window", "Worker", "WritableStream",
  "WritableStreamDefaultController", "WritableStreamDefaultWriter", "alert", "close", "confirm", "createImageBitmap", "prompt",
  "reportError", "AsyncDisposableStack", "Atomics", "DisposableStack", "FinalizationRegistry", "SharedArrayBuffer", "SuppressedError",
  "GPU", "GPUAdapter", "GPUAdapterInfo", "GPUBindGroup", "GPUBindGroupLayout", "GPUBuffer", "GPUBufferUsage", "GPUCanvasContext",
  "GPUColorWrite", "GPUCommandBuffer", "GPUCommandEncoder", "GPUCompilationInfo", "GPUCompilationMessage", "GPUComputePassEncoder",
  "GPUComputePipeline", "GPUDevice", "GPUDeviceLostInfo", "GPUError", "GPUInternalError", "GPUMapMode", "GPUOutOfMemoryError",
  "GPUPipelineError", "GPUPipelineLayout", "GPUQuerySet", "GPUQueue", "GPURenderBundle", "GPURenderBundleEncoder",
  "GPURenderPassEncoder", "GPURenderPipeline", "GPUSampler", "GPUShaderModule", "GPUShaderStage", "GPUSupportedFeatures",
  "GPUSupportedLimits", "GPUTexture", "GPUTextureUsage", "GPUTextureView", "GPUUncapturedErrorEvent", "GPUValidationError",
];

/** What is an object of functions. */
export const OBJECTS = ["Deno", "Intl", "Temporal", "WebAssembly", "caches", "localStorage", "sessionStorage"];

/** What is nothing but a value. */
export const PLAIN = {
  closed: false, location: undefined, name: "",
  onbeforeunload: null, onerror: null, onload: null, onunhandledrejection: null, onunload: null,
};

/** Members of `performance` that measure. */
export const MEASURING = [
  "clearMarks", "clearMeasures", "clearResourceTimings", "getEntries", "getEntriesByName", "getEntriesByType", "mark", "measure",
  "setResourceTimingBufferSize", "toJSON",
];

/** Other methods that are missing here, with their owners. */
export const METHODS = [[Date.prototype, "toTemporalInstant"], [Atomics, "waitAsync"]];

/** What this engine has and Deno does not: code that looks for it would go another way than there. */
export const ADDITIONS = [
  [ArrayBuffer.prototype, "immutable"], [ArrayBuffer.prototype, "sliceToImmutable"], [ArrayBuffer.prototype, "transferToImmutable"],
  [Function.prototype, "columnNumber"], [Function.prototype, "fileName"], [Function.prototype, "lineNumber"],
  [Iterator, "zip"], [Iterator, "zipKeyed"],
  [Iterator.prototype, "chunks"], [Iterator.prototype, "includes"], [Iterator.prototype, "join"], [Iterator.prototype, "windows"],
];

/** What `RegExp` tells of the last match. */
export const LAST_MATCH = [
  "$1", "$2", "$3", "$4", "$5", "$6", "$7", "$8", "$9", "$&", "$+", "$_", "$`", "$'",
  "input", "lastMatch", "lastParen", "leftContext", "rightContext",
];

/** What `process` can be asked to do, and what it has besides. */
export const PROCESS_FUNCTIONS = [
  "abort", "addListener", "availableMemory", "binding", "chdir", "constrainedMemory", "cpuUsage", "cwd", "dlopen", "emit", "emitWarning",
  "eventNames", "exit", "getActiveResourcesInfo", "getBuiltinModule", "getMaxListeners", "getegid", "geteuid", "getgid", "getgroups", "getuid",
  "hasUncaughtExceptionCaptureCallback", "hrtime", "kill", "listenerCount", "listeners", "loadEnvFile", "memoryUsage", "off", "on",
  "once", "prependListener", "prependOnceListener", "rawListeners", "reallyExit", "removeAllListeners", "removeListener",
  "resourceUsage", "setMaxListeners", "setSourceMapsEnabled", "setUncaughtExceptionCaptureCallback", "setegid", "seteuid", "setgid",
  "setuid", "threadCpuUsage", "umask", "uptime",
];
export const PROCESS_VALUES = [
  "argv0", "config", "debugPort", "execArgv", "execPath", "features", "pid", "ppid", "release", "report", "stdin", "title",
];
