// The service worker keeps one version of the page and its files, so that they start without a network. The API is never
// touched. A new version is fetched in the background and takes over when the page asks for it.
"use strict";
const CACHE = "starling-[[.Version]]";
const FILES = ["/", "/app.webmanifest", ...[[json .Assets]]];

// What the browser may do without the worker, which takes its time to start, where it knows how to be told: what stands
// in the cache under its own address comes from there, and all that is not kept from the network.
const ROUTES = [
  { condition: { urlPattern: { pathname: "/", search: "" }, requestMode: "navigate" }, source: { cacheName: CACHE } },
  { condition: { urlPattern: { pathname: "/assets/*.wasm" } }, source: "network" },
  { condition: { urlPattern: { pathname: "/assets/*" } }, source: { cacheName: CACHE } },
  { condition: { not: { or: [{ urlPattern: { pathname: "/" } }, { urlPattern: { pathname: "/app.webmanifest" } }] } }, source: "network" },
];

self.addEventListener("install", (e) => {
  e.addRoutes?.(ROUTES);
  e.waitUntil(
    (async () => {
      const cache = await caches.open(CACHE);
      await cache.addAll(FILES);
    })(),
  );
});

self.addEventListener("activate", (e) => {
  e.waitUntil(
    (async () => {
      for (const name of await caches.keys()) {
        if (name.startsWith("starling-") && name !== CACHE) await caches.delete(name);
      }
      await self.clients.claim();
    })(),
  );
});

self.addEventListener("message", (e) => {
  if (e.data === "activate") self.skipWaiting();
});

// ---- Notifications. A push message says which conversation has something new, and nothing else.
const windows = () => self.clients.matchAll({ type: "window", includeUncontrolled: true });

self.addEventListener("push", (e) => {
  e.waitUntil(
    (async () => {
      let id = "";
      try {
        id = String(e.data.json().conversation);
      } catch {
        // Not ours: the browser wants something shown all the same.
      }
      if (!/^[0-9a-f]{32}$/.test(id)) id = "";
      const open = await windows();
      if (open.some((w) => w.visibilityState === "visible" && w.focused)) return;
      await self.registration.showNotification("Starling", {
        body: "New message", icon: "[[asset "icon-192.png"]]", badge: "[[asset "icon-192.png"]]", tag: id, renotify: id !== "", data: { id },
      });
      // An open page knows the number; without one there is a mark without a number.
      if (!open.length && navigator.setAppBadge) await navigator.setAppBadge().catch(() => {});
    })(),
  );
});

self.addEventListener("notificationclick", (e) => {
  e.notification.close();
  e.waitUntil(
    (async () => {
      const id = e.notification.data?.id ?? "";
      const open = await windows();
      const w = open.find((w) => w.visibilityState === "visible") ?? open[0];
      if (!w) return self.clients.openWindow(id ? "/?c=" + id : "/");
      if (id) w.postMessage({ open: id });
      return w.focus();
    })(),
  );
});

// The server is told by the next page: only a page has the key that signs.
self.addEventListener("pushsubscriptionchange", (e) => {
  e.waitUntil(
    (async () => {
      const options = e.oldSubscription?.options;
      if (!e.newSubscription && options) await self.registration.pushManager.subscribe(options).catch(() => {}); // a page tries again
      for (const w of await windows()) w.postMessage({ resubscribed: true });
    })(),
  );
});

const cached = async (key, request) => (await (await caches.open(CACHE)).match(key)) || fetch(request);

self.addEventListener("fetch", (e) => {
  const url = new URL(e.request.url);
  if (e.request.method !== "GET" || url.origin !== location.origin) return;
  if (e.request.mode === "navigate") {
    if (url.pathname === "/") e.respondWith(cached("/", e.request));
  } else if (url.pathname.endsWith(".wasm")) {
    // The HTTP cache has it. Where it is not there any more, and a newer server does not have it either, the page takes it from
    // the cache.
  } else if (FILES.includes(url.pathname)) {
    e.respondWith(cached(url.pathname, e.request));
  }
});
