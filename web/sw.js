// The service worker keeps one version of the page and its files, so that they start without a network. The API is never
// touched. A new version is fetched in the background and takes over when the page asks for it.
"use strict";
const CACHE = "starling-[[.Version]]";
const FILES = ["/", "/app.webmanifest", ...[[json .Assets]]];

self.addEventListener("install", (e) => {
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

const cached = async (key, request) => (await (await caches.open(CACHE)).match(key)) || fetch(request);

self.addEventListener("fetch", (e) => {
  const url = new URL(e.request.url);
  if (e.request.method !== "GET" || url.origin !== location.origin) return;
  if (e.request.mode === "navigate") {
    if (url.pathname === "/") e.respondWith(cached("/", e.request));
  } else if (url.pathname.endsWith(".wasm")) {
    // From the HTTP cache the browser also has its compiled code, from Cache Storage it has not. A newer server does not
    // have this page's program any more, but the cache has.
    const kept = () => cached(url.pathname, e.request);
    e.respondWith(fetch(e.request).then((response) => (response.ok ? response : kept()), kept));
  } else if (FILES.includes(url.pathname)) {
    e.respondWith(cached(url.pathname, e.request));
  }
});
