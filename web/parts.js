// The program comes in two parts (wasm/build/split.go).
"use strict";
// The program of the first part's instance: run() is as go.run(instance). arrived(module) puts the second part in. Where the
// program needs that before, it is asked for with now(), and nothing else happens until then: the program may be in the
// middle of an event. What now throws goes to whoever called the program, which goes on at the next call, or when the part arrives.
starling.parted = (go, { exports }, now) => {
  const put = (module) => exports[8].value || new WebAssembly.Instance(module, { first: exports });
  const goOn = () => {
    if (!exports.missed?.value) return;
    if (!exports[8].value) {
      // The function's number: the program counter to go on at is left before the stack's pointer.
      performance.mark("starling.missed", { detail: new DataView(exports.mem.buffer).getUint16(exports[0].value - 6, true) });
      put(now());
    }
    exports.missed.value = 0;
    exports.goOn();
  };
  const whole = (f) => (...args) => {
    goOn();
    f(...args);
    goOn();
  };
  const { mem, getsp } = exports;
  const instance = { exports: { value: { mem, getsp, run: whole(exports.run), resume: whole(exports.resume) } } };
  return {
    run: () => go.run(Object.create(WebAssembly.Instance.prototype, instance)),
    arrived: (module) => {
      if (!exports.missed) return; // all of the program is in the first part
      put(module);
      if (exports.missed.value) go._resume();
    },
  };
};
