// The program comes in two parts (wasm/build/split.go).
"use strict";
// The program of the first part's instance: run() is as go.run(instance). complete(later) puts in the second part, a module that
// later gives. Where the program needs that before, it is asked for with now(), and nothing else happens until then: the
// program may be in the middle of an event. Where now throws, the program stands still until the part is there. What calls
// it meanwhile gets a promise of its answer; now is not asked again.
starling.parted = (go, { exports }, now) => {
  const isWhole = () => !exports.missed || exports[8].value === 1; // a program that is not split is
  const waiting = []; // what is done when the part is there
  let calls = 0, refused = false, dead = false;
  // Whether the program has gone on from where it missed something, if it did.
  const goOn = () => {
    if (!exports.missed?.value) return true;
    if (!isWhole()) {
      if (refused) return false;
      // The function's number: the program counter to go on at is left before the stack's pointer.
      performance.mark("starling.missed", { detail: new DataView(exports.mem.buffer).getUint16(exports[0].value - 6, true) });
      try {
        new WebAssembly.Instance(now(), { first: exports });
      } catch (err) {
        dead = calls > 1; // the program has called what called it, and waits for the answer
        if (dead) throw err;
        console.warn("Starling waits for its second part: " + err.message);
        refused = true;
        return false;
      }
    }
    exports.missed.value = 0;
    exports.goOn();
    return true;
  };
  const alive = () => {
    if (dead) throw new Error("the program cannot go on without its second part");
  };
  // Gives the caller of an event a promise of what answer gives when the part is there.
  const promise = (event, answer) => {
    const e = event.args[0];
    if (e?.type === "upgradeneeded") e.target.transaction.abort(); // a database without anything in it would be made
    if (["submit", "drop", "dragover"].includes(e?.type) || (e?.type === "click" && e.target.closest?.("a:not([target])"))) e.preventDefault();
    const promised = new Promise((done) => waiting.push(() => done(answer(promised))));
    event.result = promised;
  };
  const entry = (f) => (...args) => {
    alive();
    const event = go._pendingEvent;
    if (!goOn()) {
      go._pendingEvent = null;
      go._scheduledTimeouts.clear(); // a timer asks again and again otherwise
      if (event) {
        promise(event, () => {
          event.result = undefined;
          go._pendingEvent = event;
          go._resume();
          return event.result;
        });
      }
      return;
    }
    calls++;
    try {
      f(...args);
      if (goOn() || !event) return;
    } finally {
      calls--;
    }
    promise(event, (promised) => (event.result === promised ? undefined : event.result)); // it is in the middle of this one
  };
  const getsp = () => {
    alive();
    return exports.getsp();
  };
  const instance = { exports: { value: { mem: exports.mem, getsp, run: entry(exports.run), resume: entry(exports.resume) } } };
  return {
    run: () => go.run(Object.create(WebAssembly.Instance.prototype, instance)),
    complete: async (later) => {
      const module = isWhole() ? null : await later();
      if (!isWhole()) await WebAssembly.instantiate(module, { first: exports });
      if (dead || !exports.missed?.value) return;
      go._resume();
      for (const f of waiting.splice(0)) f();
    },
  };
};
