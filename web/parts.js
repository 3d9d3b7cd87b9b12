// The program comes in two parts (wasm/build/split.go).
"use strict";
// The program of the first part's instance: run() is as go.run(instance). arrived(module) puts the second part in. Where the
// program needs that before, it is asked for with now(), and nothing else happens until then: the program may be in the
// middle of an event. Where now throws, the program stands still until the part arrives. What calls it meanwhile gets a
// promise of its answer; now is not asked again.
starling.parted = (go, { exports }, now) => {
  const waiting = []; // what is done when the part has arrived
  let calls = 0, lacking = false, dead = false;
  // Whether the program has gone on from where it missed something.
  const goOn = () => {
    if (!exports.missed?.value) return true;
    if (!exports[8].value) {
      if (lacking) return false;
      // The function's number: the program counter to go on at is left before the stack's pointer.
      performance.mark("starling.missed", { detail: new DataView(exports.mem.buffer).getUint16(exports[0].value - 6, true) });
      try {
        new WebAssembly.Instance(now(), { first: exports });
      } catch (err) {
        dead = calls > 1; // the program waits for an answer of itself
        if (dead) throw err;
        console.warn("Starling waits for its second part: " + err.message);
        lacking = true;
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
  // The event is answered later, by what answer gives.
  const put = (event, answer) => {
    const e = event.args[0];
    if (e?.type === "upgradeneeded") e.target.transaction.abort(); // a database without anything in it would be made
    if (["submit", "drop", "dragover"].includes(e?.type) || (e?.type === "click" && e.target.closest?.("a:not([target])"))) e.preventDefault();
    event.result = new Promise((done) => waiting.push(() => done(answer())));
  };
  const whole = (f) => (...args) => {
    alive();
    const event = go._pendingEvent;
    if (!goOn()) {
      go._pendingEvent = null;
      go._scheduledTimeouts.clear(); // a timer asks again and again otherwise
      if (event) {
        put(event, () => {
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
    put(event, () => (event.result === promise ? undefined : event.result)); // it is in the middle of this one
    const promise = event.result;
  };
  const getsp = () => {
    alive();
    return exports.getsp();
  };
  const instance = { exports: { value: { mem: exports.mem, getsp, run: whole(exports.run), resume: whole(exports.resume) } } };
  return {
    run: () => go.run(Object.create(WebAssembly.Instance.prototype, instance)),
    arrived: async (module) => {
      if (!exports.missed) return; // all of the program is in the first part
      if (!exports[8].value) await WebAssembly.instantiate(module, { first: exports });
      if (dead || !exports.missed.value) return;
      go._resume();
      for (const f of waiting.splice(0)) f();
    },
  };
};
