// Compiles the program away from the page. Browsers compile its functions when they are called first; those that a start calls are
// called here before, in a way that does nothing (makeTouchable in wasm/build/split.go). What is compiled here the page's own
// instance has, too.
"use strict";
const touch = (module, lists) => {
  if (!lists.length) return;
  const imports = {};
  for (const { module: from, name } of WebAssembly.Module.imports(module)) (imports[from] ??= {})[name] = () => {};
  const { exports } = new WebAssembly.Instance(module, imports);
  for (const list of lists) {
    let n;
    for (const steps of WebAssembly.Module.customSections(module, list)) {
      for (const step of new Uint8Array(steps)) {
        n = step ? n + Math.min(step, 254) : -1;
        if (step % 255) exports.touch(n);
      }
    }
  }
};

self.onmessage = async ({ data: { program, lists } }) => {
  try {
    const module = typeof program === "string" ? await WebAssembly.compileStreaming(fetch(program)) : program;
    self.postMessage({ module });
    touch(module, lists);
    self.postMessage({});
  } catch (err) {
    self.postMessage({ error: err.message });
  }
};
self.postMessage({ ready: true });
