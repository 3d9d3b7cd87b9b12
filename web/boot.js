// The page before the program: what the program needs from the page, the sign-in form, which works before the program is
// there, and the service worker. Everything else is Go. See first.js for what is done before.
"use strict";
(() => {
  const $ = (id) => document.getElementById(id);
  const root = document.documentElement;
  const starling = window.starling;

  // Calls f when the user does something, but not again within five seconds: a pointer moves a thousand times in one.
  starling.onUsed = (f) => {
    let last = -Infinity;
    const used = () => {
      if (performance.now() - last < 5000) return;
      last = performance.now();
      f();
    };
    for (const type of ["pointerdown", "pointermove", "keydown", "wheel", "scroll"]) {
      window.addEventListener(type, used, { capture: true, passive: true });
    }
  };

  // Fulfilled when the user has done nothing for a moment and the browser has nothing more urgent to do, or after two
  // seconds: what nobody waits for comes between what he does.
  let acted = -Infinity;
  for (const type of ["click", "keydown", "input", "wheel", "scroll"]) {
    window.addEventListener(type, () => (acted = performance.now()), { capture: true, passive: true });
  }
  starling.calm = async () => {
    const since = performance.now();
    for (let left; (left = Math.min(acted + 400, since + 2000) - performance.now()) > 0;) await starling.after(left);
    await starling.idle();
  };

  // An observer of sizes that tells f of each element a line of its height and data-id, an empty one where it has none; and the
  // elements that fill would make, observed by it.
  starling.sizes = (f) => new ResizeObserver((entries) => f(entries.map(({ target: e }) => (e.dataset.id ? e.offsetHeight + " " + e.dataset.id.replaceAll("\n", " ") : "")).join("\n")));
  starling.observed = (observer, parts) => starling.made(parts).map((e) => (observer.observe(e), e));

  // What go-app's client asks of its page.
  window.goappGetenv = (k) => (k === "GOAPP_INTERNAL_URLS" ? "[]" : "");

  // ---- A notice about the page itself, outside of the program.
  const pageNotice = (text, action) => {
    const n = $("page-notice");
    const [reload, later] = n.querySelectorAll("button");
    n.firstElementChild.textContent = text;
    reload.onclick = action;
    later.onclick = () => (n.hidden = true);
    n.hidden = false;
  };

  // ---- Sign-in form. A submit before the program is there waits for it.
  // The server's rule (plausibleEmail in chatserver/accounts.go).
  const bytes = (text) => new TextEncoder().encode(text).length;
  const plausibleEmail = (text) => {
    const [, name, domain] = /^([^@]+)@([^@]+)$/.exec(text.toLowerCase()) ?? [];
    return !!name && bytes(name) <= 64 && bytes(text.toLowerCase()) <= 254 && !text.includes("..") && !/^[.-]|[.-]$/.test(domain) &&
      !/[\p{Cc}\p{Cs}\u2028-\u202e\u2066-\u2069\ufffd "'(),:;<>[\\\]`]/u.test(text);
  };
  const fieldError = (input) => {
    const value = input.type === "password" ? input.value : input.value.trim();
    if (!value) return input.dataset.empty;
    if (input.type === "email" && !plausibleEmail(value)) return input.dataset.invalid;
    if (input.minLength > 0 && value.length < input.minLength) return input.dataset.short;
    return "";
  };
  const say = (form, text, field) => {
    const error = form.querySelector(".error");
    error.textContent = text;
    for (const input of form.querySelectorAll("input")) {
      const hint = input.id + "-hint";
      const described = [$(hint) ? hint : "", input === field ? error.id : ""].filter(Boolean).join(" ");
      input === field ? input.setAttribute("aria-invalid", "true") : input.removeAttribute("aria-invalid");
      described ? input.setAttribute("aria-describedby", described) : input.removeAttribute("aria-describedby");
    }
    if (field) field.focus();
  };
  const busy = (form, on) => {
    on ? form.setAttribute("aria-busy", "true") : form.removeAttribute("aria-busy");
    const button = form.querySelector("button[type=submit]");
    button.setAttribute("aria-disabled", String(on));
    form.classList.toggle("busy", on);
  };
  // What takes longest of signing in is done while the program loads: the derivation of ozeki/scheme.go. null leaves it to
  // the program, as for letters whose lower case is not the same everywhere.
  const derive = async ({ email, password }) => {
    const name = email?.trim().toLowerCase();
    if (!name || !/^[\x21-\x7e]+$/.test(name)) return null;
    const { salt, rounds: iterations } = starling.config;
    const text = new TextEncoder();
    const key = await crypto.subtle.importKey("raw", text.encode(password), "PBKDF2", false, ["deriveBits"]);
    return crypto.subtle.deriveBits({ name: "PBKDF2", hash: "SHA-256", salt: text.encode(salt + name), iterations }, key, 256);
  };
  const submit = (form, kind) => {
    if (form.classList.contains("busy")) return;
    for (const input of form.querySelectorAll("input")) {
      const error = fieldError(input);
      if (error) return say(form, error, input);
    }
    say(form, "");
    busy(form, true);
    const fields = Object.fromEntries(new FormData(form));
    if (starling.submit) starling.submit(kind, fields);
    else starling.waiting = [kind, fields, derive(fields).catch(() => null)];
  };
  const forms = { signin: $("signin-form"), create: $("create-form") };
  const signin = $("signin"), reasonLine = $("signin-reason");
  // The browser looks at each form of a page, and has it laid out for that.
  if (root.dataset.phase === "in") signin.remove();
  for (const [kind, form] of Object.entries(forms)) {
    form?.addEventListener("submit", (e) => {
      e.preventDefault();
      submit(form, kind);
    });
  }
  const show = (kind) => {
    for (const [k, form] of Object.entries(forms)) {
      form.hidden = k !== kind;
      form.nextElementSibling.hidden = k !== kind;
    }
    $("signin-title").textContent = kind === "create" ? "Create account" : "Sign in";
    const [from, to] = kind === "create" ? [$("email"), $("new-email")] : [$("new-email"), $("email")];
    if (!to.value) to.value = from.value;
    forms[kind].querySelector("input").focus();
  };
  $("to-create")?.addEventListener("click", () => show("create"));
  $("to-signin")?.addEventListener("click", () => show("signin"));

  // The program says how a submit ended: error is empty where it succeeded, and field names the input that it is about, if
  // it is about one.
  starling.submitted = (kind, error, field) => {
    const form = forms[kind];
    busy(form, false);
    say(form, error, error && field && form.querySelector(`input[name="${CSS.escape(field)}"]`));
    if (error && !form.querySelector("[aria-invalid]")) form.querySelector("input[type=password]").focus();
    else if (!error) for (const f of Object.values(forms)) f?.reset();
  };
  // The program says which of the two the page shows, and why nobody is signed in any more.
  starling.phase = (phase, reason) => {
    const changed = root.dataset.phase !== phase;
    if (phase === "out" && !signin.isConnected) $("live").before(signin);
    root.dataset.phase = phase;
    reasonLine.textContent = reason;
    reasonLine.hidden = !reason;
    if (phase === "out") {
      starling.dropPicture();
      if (given.sign || given.decrypt) dropKeys(), takeKeys();
    }
    if (phase !== "out" || !changed) return;
    if (forms.create) show("signin");
    forms.signin.querySelector("input").focus();
  };

  // ---- Private keys. keys.js works with them away from the page. Until it is there, and where it cannot be, the page does.
  let keys, given = {}, asked = 0;
  const asking = new Map(); // what keys.js has been asked, by number
  const here = ({ method, algorithm, key, data }) => crypto.subtle[method](algorithm, key, data);
  const dropKeys = () => {
    keys?.terminate();
    keys = undefined;
    given = {};
    for (const { job, done } of asking.values()) done(here(job));
    asking.clear();
  };
  const takeKeys = () => {
    let worker;
    const failed = (e) => {
      e.preventDefault?.();
      console.warn("Keys are used on the page's thread: " + (e.message || "their worker could not be loaded"));
      worker?.terminate();
      if (keys === worker) dropKeys();
    };
    try {
      worker = starling.worker(starlingAt.keys);
    } catch (err) {
      return failed(err);
    }
    worker.onmessage = ({ data: { id, result, error } }) => {
      if (!id) return void (keys = worker);
      const done = asking.get(id)?.done;
      asking.delete(id);
      done?.(error ? Promise.reject(new DOMException(error.message, error.name)) : result);
    };
    worker.onerror = worker.onmessageerror = failed;
  };
  // As crypto.subtle[method](algorithm, key, data).
  starling.withKey = (method, algorithm, key, data) => {
    const job = { method, algorithm, key, data };
    // What ends a session is not to give its key to the next one's worker.
    if (!keys || root.dataset.phase === "out") return here(job);
    return new Promise((done) => {
      asking.set(++asked, { job, done });
      try {
        keys.postMessage({ id: asked, ...job, key: given[method] === key ? undefined : key });
        given[method] = key;
      } catch (err) {
        console.warn("Keys are used on the page's thread: " + err.message);
        dropKeys();
      }
    });
  };

  // ---- The program.
  const failed = (err) => {
    console.error("Starling has stopped", err);
    pageNotice("Starling has stopped because of an error. What you sent is safe.", () => location.reload());
  };
  const notLoaded = "Starling could not be loaded. Check your connection and reload the page.";
  const sayNotLoaded = () => pageNotice(notLoaded, () => location.reload());
  // What the worker compiles of an address, and the page if it cannot.
  const compile = ({ compiled }, url) => compiled.catch(() => WebAssembly.compileStreaming(starlingFetch(url)));
  // The program's second part, as soon as it can be had.
  const rest = async () => {
    for (let wait = 1000; ; wait = Math.min(2 * wait, 60000)) {
      try {
        return await compile(starling.ahead(starlingAt.rest), starlingAt.rest);
      } catch (err) {
        console.warn("The rest of Starling: " + err.message);
        await Promise.race([starling.after(wait), new Promise((done) => window.addEventListener("online", done, { once: true }))]);
      }
    }
  };
  // The same for a program that cannot go on without it. Only for text can a page wait.
  let hurry;
  const hurried = new Promise((done) => (hurry = done));
  const restNow = () => {
    try {
      const request = new XMLHttpRequest();
      request.open("GET", starlingAt.rest, false);
      request.overrideMimeType("text/plain; charset=x-user-defined");
      request.send();
      if (request.status !== 200) throw new Error("HTTP " + request.status);
      return new WebAssembly.Module(Uint8Array.from(request.responseText, (c) => c.charCodeAt(0)));
    } catch (err) {
      hurry(); // the worker's cache may have it
      starling.after(1000).then(() => complete || sayNotLoaded());
      throw err;
    }
  };
  let complete = false;
  const parsed = new Promise((done) => document.addEventListener("DOMContentLoaded", done)); // wasm_exec.js has run then
  const start = async () => {
    await parsed;
    const go = new Go();
    // The browser draws the last sidebar before the program takes the thread. A database may be blocked.
    await Promise.race([starling.sidebarShown, starling.after(500)]);
    // Who comes back has his list drawn and its keys opened, and the processors have enough to do.
    const later = root.dataset.phase === "out" ? Promise.resolve() : starling.after(1000);
    later.then(takeKeys);
    let instance;
    if (starling.compiling) {
      instance = await WebAssembly.instantiate(await compile(starling.compiling, starlingAt.program), go.importObject);
    } else {
      // The page asks for the program before it can have a worker. Until its functions are compiled the user can type.
      const streamed = WebAssembly.instantiateStreaming(window.starlingProgram ?? starlingFetch(starlingAt.program), go.importObject);
      const { ended } = starling.ahead(streamed.then(({ module }) => module), ["return", "visit"]);
      ({ instance } = await streamed);
      await Promise.race([ended, starling.after(500)]);
    }
    const program = starling.parted(go, instance, restNow);
    Promise.race([later, hurried]).then(() => program.complete(rest)).then(() => {
      complete = true;
      const notice = $("page-notice");
      if (notice.firstElementChild.textContent === notLoaded) notice.hidden = true;
    }).catch(failed);
    return program.run;
  };
  const starts = start();
  starts.then(
    (run) => run().then(() => failed("the program ended"), failed),
    (err) => {
      console.error("Starling could not be loaded", err);
      for (const form of Object.values(forms)) if (form?.classList.contains("busy")) busy(form, false);
      sayNotLoaded();
    },
  );

  // ---- Service worker: the page and the program start without a network; a new version waits until it is asked for.
  if ("serviceWorker" in navigator) {
    // The page never reloads by itself: another tab may have let the new version in.
    let asked = false;
    navigator.serviceWorker.addEventListener("controllerchange", () => asked && location.reload());
    const hour = 60 * 60 * 1000;
    // Not before the program is there: on a first visit it fetches and keeps all files.
    starts.catch(() => {}).then(() => starling.after(500)).then(() => starling.register()).then((reg) => {
      const offer = () =>
        pageNotice("A new version of Starling is ready.", () => {
          asked = true;
          // Where none waits any more, another tab has let it in already, and no change would come.
          reg.waiting ? reg.waiting.postMessage("activate") : location.reload();
        });
      const watch = (worker) => {
        worker?.addEventListener("statechange", () => {
          if (worker.state === "installed" && navigator.serviceWorker.controller) offer();
        });
      };
      if (reg.waiting && navigator.serviceWorker.controller) offer();
      watch(reg.installing);
      reg.addEventListener("updatefound", () => watch(reg.installing));
      // The browser looks for a new version when a page is opened; one that stays open for days looks itself.
      let looked = Date.now();
      const look = () => {
        if (document.visibilityState !== "visible" || Date.now() - looked < hour) return;
        looked = Date.now();
        reg.update().catch(() => {}); // without a network: next time
      };
      document.addEventListener("visibilitychange", look);
      setInterval(look, hour);
    }, (err) => console.warn("No offline start: " + err.message));
  }
})();
