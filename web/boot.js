// The page before the program: what the program needs from the page, the sign-in form, which works before the program is
// there, and the service worker. Everything else is Go.
"use strict";
(() => {
  const $ = (id) => document.getElementById(id);
  const root = document.documentElement;
  const starling = (window.starling = { config: JSON.parse($("config").textContent) });

  // ---- Storage that never throws: the browser may have it switched off (reading the property throws) or full (writing
  // throws), and an exception would end the program. What is switched off lasts as long as the page instead; go-app, too,
  // reads window.localStorage.
  class Memory {
    #items = new Map();
    get length() { return this.#items.size; }
    key(i) { return [...this.#items.keys()][i] ?? null; }
    getItem(k) { return this.#items.get(String(k)) ?? null; }
    setItem(k, v) { this.#items.set(String(k), String(v)); }
    removeItem(k) { this.#items.delete(String(k)); }
    clear() { this.#items.clear(); }
  }
  for (const name of ["localStorage", "sessionStorage"]) {
    try {
      window[name].getItem("starling.theme");
    } catch {
      Object.defineProperty(window, name, { value: new Memory(), configurable: true });
    }
  }
  const attempt = (f) => {
    try {
      return f(window.localStorage) ?? "";
    } catch (err) {
      console.warn("Storage: " + err.message);
      return "";
    }
  };
  starling.storage = {
    get: (k) => attempt((s) => s.getItem(k)),
    set: (k, v) => attempt((s) => s.setItem(k, v)),
    remove: (k) => attempt((s) => s.removeItem(k)),
    clear: () => attempt((s) => s.clear()),
  };

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

  // ---- The sidebar of the last visit, until the program has drawn its own: a picture of its elements, kept by
  // app/engine/shelf.go. What the user does in it is done again in the program's.
  const pictured = 40; // rows of a list
  const svg = "http://www.w3.org/2000/svg";
  // Makes a picture of an element: name, attributes, style, children.
  const picture = (e) => {
    const attributes = {};
    for (const { name, value } of e.attributes) if (!["id", "style", "aria-controls"].includes(name)) attributes[name] = value;
    let children = [...e.childNodes].filter((c) => !c.classList?.contains("list-trouble"));
    if (e.localName === "ul") children = children.slice(0, pictured);
    // What will have expired is not kept.
    if (e.classList.contains("preview") && e.closest("[data-fleeting]")) children = [];
    return [e.localName, attributes, e.style.cssText, children.map((c) => (c.nodeType === Node.TEXT_NODE ? c.data : picture(c)))];
  };
  // The sidebar as it is to be kept: its head and its lists.
  starling.picture = (sidebar) => {
    const [name, attributes, style] = picture(sidebar);
    return JSON.stringify({ at: Date.now(), sidebar: [name, attributes, style, [sidebar.firstElementChild, $("lists")].map(picture)] });
  };
  // What fill and a picture hold: texts, and elements by name, attributes, style and children.
  const build = ([name, attributes, style, children]) => {
    const e = name === "svg" || name === "path" ? document.createElementNS(svg, name) : document.createElement(name);
    for (const [k, v] of Object.entries(attributes)) e.setAttribute(k, v);
    if (style) e.style.cssText = style;
    e.append(...children.map(made));
    return e;
  };
  const made = (c) => (typeof c === "string" ? c : build(c));
  starling.fill = (e, parts) => e.replaceChildren(...JSON.parse(parts).map(made));

  const owner = starling.storage.get("starling.signedin");
  const starsKey = "starling.stars"; // clicked before the program was there
  const clicked = () => {
    try {
      const kept = JSON.parse(starling.storage.get(starsKey));
      return kept.owner === owner ? kept.stars : {};
    } catch {
      return {};
    }
  };
  let shown = null; // the picture in the page
  let pressed = null; // the last of its buttons
  let live = false; // the program has drawn its own
  const setStar = (row, on) => {
    const star = row.querySelector(".star");
    star.setAttribute("aria-pressed", String(on));
    star.setAttribute("aria-description", "Saving");
    star.dataset.way = "pending";
  };
  const setCurrent = () => {
    const id = new URLSearchParams(location.search).get("c");
    for (const row of shown.querySelectorAll("li.row")) {
      const current = row.dataset.id === id;
      row.classList.toggle("current", current);
      current ? row.firstChild.setAttribute("aria-current", "page") : row.firstChild.removeAttribute("aria-current");
    }
    for (const e of [shown, $("app")]) e?.classList.toggle("reading", !!id);
  };
  const hide = () => {
    shown?.remove();
    shown = null;
    delete root.dataset.pictured;
  };
  const request = (r) => new Promise((good, bad) => {
    r.onsuccess = () => good(r.result);
    r.onerror = () => bad(r.error);
  });
  const keptSidebar = async () => {
    const open = indexedDB.open("starling-shelf");
    open.onupgradeneeded = () => open.transaction.abort(); // there is none
    const db = await request(open);
    try {
      const store = db.transaction("shelf").objectStore("shelf");
      const [key, record] = await Promise.all(["key", "sidebar"].map((name) => request(store.get(name))));
      if (!key || !record) return null;
      const additionalData = new TextEncoder().encode(owner + "/sidebar");
      const data = await crypto.subtle.decrypt({ name: "AES-GCM", iv: record.iv, additionalData }, key, record.data);
      return JSON.parse(new TextDecoder().decode(data));
    } finally {
      db.close();
    }
  };
  const showSidebar = async () => {
    const kept = await keptSidebar();
    if (!kept || live || root.dataset.phase !== "in") return;
    shown = document.createElement("div");
    shown.id = "picture-of-sidebar";
    shown.className = "app";
    shown.append(build(kept.sidebar));
    const at = new Date(kept.at), today = at.toDateString() === new Date().toDateString();
    // Yesterday's times of day are not today's.
    if (!today) for (const marks of shown.querySelectorAll(".marks")) marks.textContent = "";
    const age = document.createElement("p");
    age.className = "connection age";
    age.textContent = "As of " + at.toLocaleString(undefined, today ? { timeStyle: "short" } : { dateStyle: "medium", timeStyle: "short" }) + ". Loading…";
    shown.firstChild.append(age);
    for (const [id, on] of Object.entries(clicked())) {
      const row = shown.querySelector(`li.row[data-id="${CSS.escape(id)}"]`);
      if (row) setStar(row, on);
    }
    shown.addEventListener("click", (e) => {
      const row = e.target.closest("li.row"), button = e.target.closest("button"), link = e.target.closest("a");
      if (button?.matches(".star")) {
        const on = button.getAttribute("aria-pressed") !== "true";
        setStar(row, on);
        starling.storage.set(starsKey, JSON.stringify({ owner, stars: { ...clicked(), [row.dataset.id]: on } }));
      } else if (button) {
        pressed = button;
      } else if (link && !e.ctrlKey && !e.metaKey && !e.shiftKey && !e.altKey) {
        e.preventDefault();
        history.pushState(null, "", link.href); // the program opens what the address names
        setCurrent();
      }
    });
    $("signin").before(shown);
    root.dataset.pictured = "";
    setCurrent();
    await starling.painted(); // before the program takes the thread
  };
  // Fulfilled when the page shows what it holds now. One that is not seen has no frames.
  starling.painted = () => Promise.race([new Promise((done) => requestAnimationFrame(() => setTimeout(done))), after(document.hidden ? 0 : 100)]);
  const after = (ms) => new Promise((done) => setTimeout(done, ms));
  const sidebarShown = owner && showSidebar().catch((err) => console.warn("The sidebar of the last visit: " + err.message));

  // The program has drawn its list and calls this until it is true: the list takes the picture's place. all: it is the
  // whole list; until it is, it may be shorter than what the user has scrolled to.
  starling.listDrawn = (all) => {
    live = true;
    if (!shown) return true;
    const sidebar = $("app").querySelector(".sidebar");
    const scrolls = [...sidebar.querySelectorAll(".scroll")];
    const places = [...shown.querySelectorAll(".scroll")].map((from, i) => [scrolls[i], from.scrollTop, from.clientHeight]);
    if (!all && places.some(([to, top, height]) => top > 0 && to.scrollHeight < top + height)) return false;
    const nameOf = (e) => e.getAttribute("aria-label") ?? e.textContent;
    const same = (e) => {
      const row = e.closest("li.row");
      const kind = e.localName + (e.classList.length ? "." + e.classList[0] : "");
      return row ? sidebar.querySelector(`li.row[data-id="${CSS.escape(row.dataset.id)}"] ${kind}`)
        : [...sidebar.querySelectorAll(e.localName)].find((other) => nameOf(other) === nameOf(e));
    };
    const focused = shown.contains(document.activeElement) ? document.activeElement : null;
    const typed = shown.querySelector("input").value;
    const button = pressed;
    for (const [to, top] of places) to.scrollTop = top;
    root.removeAttribute("data-pictured"); // what cannot be seen takes no focus
    if (focused) same(focused)?.focus({ preventScroll: true });
    const again = button && same(button);
    hide();
    if (typed) {
      $("filter").value = typed;
      $("filter").dispatchEvent(new InputEvent("input", { bubbles: true }));
    }
    again?.click();
    return true;
  };
  // The stars that were clicked in the picture, once.
  starling.clickedStars = () => {
    const stars = clicked();
    starling.storage.remove(starsKey);
    return Object.entries(stars);
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
    root.dataset.phase = phase;
    const r = $("signin-reason");
    r.textContent = reason;
    r.hidden = !reason;
    if (phase === "out") {
      live = true;
      hide();
    }
    if (phase !== "out" || !changed) return;
    if (forms.create) show("signin");
    forms.signin.querySelector("input").focus();
  };

  // ---- The program.
  const failed = (err) => {
    console.error("Starling has stopped", err);
    pageNotice("Starling has stopped because of an error. What you sent is safe.", () => location.reload());
  };
  const parsed = new Promise((done) => document.addEventListener("DOMContentLoaded", done)); // wasm_exec.js has run then
  const start = async () => {
    await parsed;
    const go = new Go();
    // The response is used as it is, not wrapped, so that the browser can keep its compiled code.
    const response = await window.starlingProgram;
    if (!response.ok) throw new Error("HTTP " + response.status);
    const { instance } = await WebAssembly.instantiateStreaming(response, go.importObject);
    await Promise.race([sidebarShown, after(500)]); // a database may be blocked
    return () => go.run(instance);
  };
  start().then(
    (run) => run().then(() => failed("the program ended"), failed),
    (err) => {
      console.error("Starling could not be loaded", err);
      for (const form of Object.values(forms)) if (form?.classList.contains("busy")) busy(form, false);
      pageNotice("Starling could not be loaded. Check your connection and reload the page.", () => location.reload());
    },
  );

  // ---- Service worker: the page and the program start without a network; a new version waits until it is asked for.
  if ("serviceWorker" in navigator) {
    const url = window.trustedTypes
      ? trustedTypes.createPolicy("starling-sw", { createScriptURL: () => "/sw.js" }).createScriptURL("")
      : "/sw.js";
    // The page never reloads by itself: another tab may have let the new version in.
    let asked = false;
    navigator.serviceWorker.addEventListener("controllerchange", () => asked && location.reload());
    const hour = 60 * 60 * 1000;
    navigator.serviceWorker.register(url).then((reg) => {
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
