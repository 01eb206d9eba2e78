// @ts-check
// Pages change without being loaded: an address → one request → a view in <main>, or a chat beside it.

import { Feed, Profile } from "./documents.js";
import { inWords } from "./element.js";
import { ask } from "./graphql.js";
import { part } from "./parts.js";
import { viewer } from "./viewer.js";
import { SKELETON, again, bones, openChat, sameFocus, showLast } from "./windows.js";

/** Views that are kept for going back. */
const KEPT = 6;

/** @typedef {{ view: string, title: string, values: { [name: string]: any } }} View */
/** @typedef {"main" | "chats" | "chat"} Place */

const main = /** @type {HTMLElement} */ (document.getElementById("main"));
/** Views by the entries of the history that they belong to. @type {Map<number, { path: string, title: string, nodes: ChildNode[], scroll: number }>} */
const kept = new Map();
let now = Number(history.state?.at ?? Date.now());
/** Where <main> leads, whatever chat is beside it. */
let shown = pathOfMain(location.pathname);
/** What <main> is called. */
let title = location.pathname.startsWith("/chats") ? "Feed" : document.title.replace(/ – Graphbook$/, "");
/** The entry of the history that <main> belongs to; nothing while it is none of its own. @type {number | undefined} */
let placed = now;
let going = new AbortController();

/** @param {string} path */
function pathOfMain(path) {
  return path.startsWith("/chats") ? "/app" : path;
}

/** @param {string} path @param {AbortSignal} signal @returns {Promise<View>} */
async function load(path, signal) {
  const name = /^\/user\/([^/]+)$/.exec(path)?.[1];
  if (path === "/app") {
    const values = await ask(Feed, {}, { signal });
    return { view: "feed", title: "Feed", values };
  }
  if (name !== undefined) {
    const values = await ask(Profile, { username: decodeURIComponent(name) }, { signal });
    if (values.user) return { view: "profile", title: values.user.username, values };
  }
  if (path === "/settings") return { view: "settings", title: "Settings", values: {} };
  return { view: "not-found", title: "Not found", values: {} };
}

/** @param {string} path @returns {Place} */
function placeOf(path) {
  if (path === "/chats") return "chats";
  return path.startsWith("/chats/") ? "chat" : "main";
}

/** @param {string} name */
function entitle(name) {
  document.title = `${name} – Graphbook`;
}

/** @param {string} path @param {string} name @param {Node[]} nodes @param {number} scroll @param {boolean} idle */
function put(path, name, nodes, scroll, idle) {
  [shown, title, placed] = [path, name, now];
  main.replaceChildren(...nodes);
  main.removeAttribute("aria-busy");
  entitle(name);
  scrollTo({ top: scroll, behavior: "instant" });
  if (idle) main.focus({ preventScroll: true });
}

/** Whether there is room for one thing at a time only (style.css). */
export function isNarrow() {
  return matchMedia("(width < 800px)").matches;
}

/** Where <main> leads. */
export function besides() {
  return shown;
}

/** Shows what an address leads to. @param {string} path @param {number} [key] of a view that may be kept */
async function show(path, key) {
  going.abort();
  going = new AbortController();
  const { signal } = going;
  const place = placeOf(path);
  const idle = sameFocus();
  document.documentElement.dataset.place = place;
  const id = /^\/chats\/(\d+)$/.exec(path)?.[1];
  if (id !== undefined) void openChat(Number(id));
  const wanted = pathOfMain(path);
  const before = key === undefined ? undefined : kept.get(key);
  // A chat, or the list of them, is beside what is there; on a phone, in its place.
  if (placed !== undefined && (place !== "main" || wanted === shown)) {
    if (place === "main" && before && isNarrow()) scrollTo({ top: before.scroll, behavior: "instant" });
    return entitle(place === "main" ? title : "Chats");
  }
  if (before) return put(before.path, before.title, before.nodes, before.scroll, true);
  placed = undefined;
  const waiting = setTimeout(() => {
    const view = Object.assign(document.createElement("div"), { className: "view" });
    view.append(bones(), bones(), bones());
    main.setAttribute("aria-busy", "true");
    main.replaceChildren(view);
  }, SKELETON);
  try {
    const loaded = await load(wanted, signal);
    if (!signal.aborted) put(wanted, loaded.title, [part(loaded.view, loaded.values)], 0, idle());
  } catch (error) {
    if (signal.aborted) return;
    const trouble = part("trouble", {});
    trouble.querySelectorAll("p").forEach((it) => (it.textContent = inWords(error)));
    trouble.append(again(() => void show(path)));
    main.replaceChildren(trouble);
    main.removeAttribute("aria-busy");
    entitle("Trouble");
  } finally {
    clearTimeout(waiting);
  }
}

/** Goes to a page of ours. @param {string} url */
export async function go(url) {
  const { pathname } = new URL(url, location.href);
  if (pathname === location.pathname && placed !== undefined) {
    if (placeOf(pathname) === "main") scrollTo({ top: 0 });
    else await show(pathname);
    return;
  }
  keep();
  now = Date.now();
  // Beside a chat, <main> is part of the new entry as well.
  if (placed !== undefined && (placeOf(pathname) !== "main" || pathOfMain(pathname) === shown)) placed = now;
  history.pushState({ at: now }, "", url);
  await show(pathname);
}

/** Remembers what is shown, for going back and forward; not what only waits, or failed. */
function keep() {
  if (placed !== now) return;
  kept.delete(now);
  kept.set(now, { path: shown, title, nodes: [...main.childNodes], scroll: scrollY });
  for (const key of [...kept.keys()].slice(0, -KEPT)) kept.delete(key);
}

/** Takes over links and the way back. */
export function route() {
  if (!viewer) return;
  history.scrollRestoration = "manual";
  history.replaceState({ at: now }, "");
  showLast();
  addEventListener("popstate", (event) => {
    keep();
    now = Number(event.state?.at ?? Date.now());
    if (placed !== undefined && (placeOf(location.pathname) !== "main" || pathOfMain(location.pathname) === shown)) placed = now;
    void show(location.pathname, now);
  });
  addEventListener("click", (event) => {
    const link = event.target instanceof window.Element ? event.target.closest("a[href]") : null;
    if (!(link instanceof HTMLAnchorElement) || link.target || link.origin !== location.origin || link.hash) return;
    if (event.defaultPrevented || event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
    if (!/^\/(app|user|chats|settings)(\/|$)/.test(link.pathname)) return;
    event.preventDefault();
    void go(link.href);
  });
}
