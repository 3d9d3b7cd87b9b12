// What comes first: storage, and the sidebar of the last visit. It stands in the head of the page, so that the device's
// store is read while the rest of the page is.
"use strict";
(() => {
  const $ = (id) => document.getElementById(id);
  const root = document.documentElement;
  const starling = (window.starling = { config: JSON.parse($("config").textContent) });
  const after = (starling.after = (ms) => new Promise((done) => setTimeout(done, ms)));

  // Fulfilled when the page begins to draw what it holds now, when it has shown it, and when it has nothing more urgent to do then.
  // One that is not seen has no frames.
  const frame = () => Promise.race([new Promise(requestAnimationFrame), after(document.hidden ? 0 : 100)]);
  const idle = (starling.idle = () => (document.hidden || !window.requestIdleCallback ? after(0) : new Promise((done) => requestIdleCallback(done, { timeout: 50 }))));
  starling.shown = () => frame().then(() => after(0));
  starling.painted = () => frame().then(idle);

  // ---- Workers, and the one that compiles the program (ahead.js).
  let policy;
  const trusted = (url) => {
    if (!window.trustedTypes) return url;
    const ours = [starlingAt.keys, starlingAt.ahead];
    policy ??= trustedTypes.createPolicy("starling-workers", { createScriptURL: (url) => (ours.includes(url) ? url : "/sw.js") });
    return policy.createScriptURL(url);
  };
  starling.worker = (url) => new Worker(trusted(url));
  starling.register = () => navigator.serviceWorker.register(trusted("/sw.js"));
  // Has it compile a program, an address or a promise of a module, and the functions in these lists, and ends it then, which gives its
  // memory back. Gives promises of the module, refused where it fails or does not even start, and of that end.
  starling.ahead = (program, lists = []) => {
    let end;
    const ended = new Promise((good, bad) => (end = (err) => (err ? bad(err) : good())));
    const compiled = new Promise((good, bad) => {
      ended.catch((err) => {
        console.warn("Starling is not compiled by its worker: " + err.message);
        bad(err);
      });
      const worker = starling.worker(starlingAt.ahead);
      const started = new Promise((done) => (worker.onmessage = ({ data: { ready, module, error } }) => {
        done();
        if (module) {
          good(module);
          starling.after(10000).then(() => end()); // whatever it is still at
        } else if (!ready) end(error && new Error(error));
      }));
      worker.onerror = worker.onmessageerror = (e) => {
        e.preventDefault();
        end(new Error(e.message || "the worker could not be loaded"));
      };
      ended.catch(() => {}).then(() => worker.terminate());
      Promise.resolve(program).then(async (program) => {
        worker.postMessage({ program, lists });
        const late = starling.after(1000).then(() => true);
        if (await Promise.race([started, late])) throw new Error("the worker does not start");
      }).catch(end);
    });
    compiled.catch(end);
    return { compiled, ended: ended.catch(() => {}) };
  };

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
  starling.made = (parts) => JSON.parse(parts).map(made);
  starling.fill = (e, parts) => e.replaceChildren(...starling.made(parts));

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
  const placed = new Promise((done) => (starling.placed = done)); // its place in the page is there
  let shown = null; // the picture in the page
  let pressed = null; // the last of its buttons
  let scrolled = false; // by the user
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
  // Requests in a transaction that reads, and what they give.
  const read = (db, name, requests) => Promise.all(requests(db.transaction(name).objectStore(name)).map((r) => new Promise((good, bad) => {
    r.onsuccess = () => good(r.result);
    r.onerror = () => bad(r.error);
  })));
  // The database is opened in the page's first line: opening takes long, reading does not.
  const keptSidebar = async () => {
    const [key, record] = await read(await window.starlingShelf, "shelf", (s) => ["key", "sidebar"].map((name) => s.get(name)));
    if (!key || !record) return null;
    const additionalData = new TextEncoder().encode(owner + "/sidebar");
    const data = await crypto.subtle.decrypt({ name: "AES-GCM", iv: record.iv, additionalData }, key, record.data);
    return JSON.parse(new TextDecoder().decode(data));
  };
  // What the program reads first (idb.Load and takeShelf in app/engine), read while it is on its way.
  const readEarly = async () => {
    const names = ["key", "about", "head", "blocked"];
    const [records, kept] = await Promise.all([
      window.starlingShelf.then((db) => read(db, "shelf", (s) => names.map((name) => s.get(name)))),
      starlingOpen("starling").then((db) => read(db, "vault", (s) => [s.get("session"), s.get("private"), s.getAllKeys(IDBKeyRange.lowerBound([]))]).finally(() => db.close())),
    ]);
    const [session, secret, queue] = kept;
    return { session, private: secret, queue, shelf: Object.fromEntries(names.map((name, i) => [name, records[i] ?? null])) };
  };
  let early; // a promise of it
  // Tabs tell one another what they change on the device: what was read before that does not count. The program takes
  // its notes from the same channel.
  starling.channel = new BroadcastChannel("starling");
  starling.channel.addEventListener("message", () => (early = null));
  // What was read early, once; undefined if there is nothing that counts.
  starling.takeEarly = async () => {
    if (!early) return undefined;
    const kept = await Promise.race([early, after(1000)]); // some databases never answer
    await after(0); // the browser may draw, and answer the user, between the program's start and its list
    if (!early) return undefined;
    early = null;
    return kept;
  };
  // Says how old the picture is, if it is still there.
  const tellAge = (at) => {
    if (!shown) return;
    const age = document.createElement("p");
    age.className = "connection age";
    age.textContent = "As of " + at.toLocaleString(undefined, isToday(at) ? { timeStyle: "short" } : { dateStyle: "medium", timeStyle: "short" }) + ". Loading…";
    shown.firstChild.append(age);
  };
  const isToday = (at) => at.toDateString() === new Date().toDateString();
  // Takes the rows out of the lists that are not seen before the user scrolls, and gives them, an array for each list.
  const takeHidden = ([name, , , children]) =>
    name === "ul" ? [children.splice(Math.ceil(innerHeight / 50))] : children.filter((c) => typeof c !== "string").flatMap(takeHidden);
  let sidebarRead; // a promise of it
  const showSidebar = async () => {
    const kept = await (sidebarRead = keptSidebar());
    await placed;
    if (!kept || live || root.dataset.phase !== "in") return;
    const hidden = takeHidden(kept.sidebar), at = new Date(kept.at);
    shown = document.createElement("div");
    shown.id = "picture-of-sidebar";
    shown.className = "app";
    shown.append(build(kept.sidebar));
    const dress = () => {
      // Yesterday's times of day are not today's.
      if (!isToday(at)) for (const marks of shown.querySelectorAll(".marks")) marks.textContent = "";
      for (const [id, on] of Object.entries(clicked())) {
        const row = shown.querySelector(`li.row[data-id="${CSS.escape(id)}"]`);
        if (row) setStar(row, on);
      }
      setCurrent();
    };
    shown.addEventListener("scroll", () => (scrolled = true), true);
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
    dress();
    $("app").after(shown);
    root.dataset.pictured = "";
    await frame(); // before the program takes the thread
    // Meanwhile the program is on its way, and mostly there: none of this is needed then.
    setTimeout(() => {
      if (!shown) return;
      for (const [i, list] of shown.querySelectorAll("ul").entries()) list.append(...hidden[i].map(made));
      dress();
    }, 200);
    setTimeout(() => tellAge(at), 1000); // the browser's first date takes longer than all of the picture
  };
  if (owner) {
    starling.sidebarShown = showSidebar().catch((err) => console.warn("The sidebar of the last visit: " + err.message));
    early = starling.sidebarShown.then(readEarly).catch(() => undefined); // the program reads it again, and says why it cannot
  }
  // Before the sidebar is read the program would only hold that up. Then it is compiled while the page draws.
  if (root.dataset.phase === "in") {
    const read = Promise.resolve(sidebarRead).catch(() => {});
    starling.compiling = starling.ahead(Promise.race([read, after(300)]).then(() => starlingAt.program), ["return"]);
  }
  window.starlingShelf.then(async (db) => {
    await early;
    db.close();
  }, () => {});

  // The program has drawn its list and calls this until it is true: the list takes the picture's place. all: it is the
  // whole list; until it is, it may be shorter than what the user has scrolled to.
  starling.listDrawn = (all) => {
    live = true;
    if (!shown) return true;
    const sidebar = $("app").querySelector(".sidebar");
    const scrolls = [...sidebar.querySelectorAll(".scroll")];
    // Where nothing is to be scrolled nothing is measured: the page would be laid out for that at once.
    const places = (scrolled ? [...shown.querySelectorAll(".scroll")] : []).map((from, i) => [scrolls[i], from.scrollTop, from.clientHeight]);
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
  starling.scrolled = () => scrolled;
  // The marks at the end of a row, as they stand in the picture.
  starling.picturedMarks = (id) => shown?.querySelector(`li.row[data-id="${CSS.escape(id)}"] .marks`)?.textContent ?? "";
  starling.dropPicture = () => {
    live = true;
    hide();
  };
  // The stars that were clicked in the picture, once.
  starling.clickedStars = () => {
    const stars = clicked();
    starling.storage.remove(starsKey);
    return Object.entries(stars);
  };
})();
