// What a private key does takes a millisecond or more, and browsers do it on the thread that asks: so this one asks, and
// not the page's. A signature goes before the opening of keys, since somebody waits for it. See withKey in boot.js.
"use strict";
const signatures = [], others = [];
const keys = {}; // by method: the page gives each once
let busy = false;

// Lets messages in.
const channel = new MessageChannel();
const breathe = () => new Promise((done) => {
  channel.port1.onmessage = done;
  channel.port2.postMessage(0);
});

const work = async () => {
  busy = true;
  for (let job; (job = signatures.shift() ?? others.shift()); await breathe()) {
    const { id, method, algorithm, key, data } = job;
    try {
      const result = await crypto.subtle[method](algorithm, key, data);
      self.postMessage({ id, result }, [result]);
    } catch ({ name, message }) {
      self.postMessage({ id, error: { name, message } }); // not every browser lets a DOMException through
    }
  }
  busy = false;
};

self.onmessage = ({ data: job }) => {
  if (job.key) keys[job.method] = job.key;
  (job.method === "sign" ? signatures : others).push({ ...job, key: keys[job.method] });
  if (!busy) work();
};
self.onmessageerror = () => {
  throw new Error("a key could not be taken over"); // which the page hears of
};
self.postMessage({}); // ready
