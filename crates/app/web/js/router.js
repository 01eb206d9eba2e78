// @ts-check
// Pages change without being loaded: an address → one request → a view in <main>, or a chat beside it.

import { Chat, Feed, Profile } from "./documents.js";
import { inWords } from "./element.js";
import { ask } from "./graphql.js";
import { part } from "./parts.js";
import { viewer } from "./viewer.js";

/** After so many milliseconds, waiting is shown. */
const SKELETON = 150;
/** Views that are kept for going back. */
const KEPT = 6;

/** @typedef {{ view: string, title: string, values: { [name: string]: any } }} View */
/** @typedef {"main" | "chats" | "chat"} Place */

const main = /** @type {HTMLElement} */ (document.getElementById("main"));
const windows = document.querySelector(".windows");
/** @type {Map<number, { nodes: ChildNode[], title: string }>} */
const kept = new Map();
let now = Number(history.state?.at ?? Date.now());
/** Where <main> leads, whatever chat is beside it. */
let shown = pathOfMain(location.pathname);
/** What <main> is called. */
let title = titleOfPage();
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

function titleOfPage() {
  return document.title.replace(/ – Graphbook$/, "");
}

/** @param {string} name */
function entitle(name) {
  document.title = `${name} – Graphbook`;
}

/** @param {string} name @param {Node[]} nodes @param {number} scroll */
function put(name, nodes, scroll) {
  main.replaceChildren(...nodes);
  main.removeAttribute("aria-busy");
  title = name;
  entitle(name);
  scrollTo({ top: scroll, behavior: "instant" });
  main.focus({ preventScroll: true });
}

/** Shows what an address leads to. @param {string} path @param {{ scroll?: number, key?: number }} [from] */
async function show(path, from = {}) {
  going.abort();
  going = new AbortController();
  const { signal } = going;
  document.documentElement.dataset.place = placeOf(path);
  const id = /^\/chats\/(\d+)$/.exec(path)?.[1];
  try {
    if (id !== undefined) await openChat(Number(id), signal);
    const wanted = pathOfMain(path);
    // A chat, or the list of them, is beside what is there.
    if (main.childElementCount > 0 && (wanted === shown || placeOf(path) !== "main")) {
      entitle(placeOf(path) === "main" ? title : "Chats");
      return;
    }
    shown = wanted;
    const before = from.key === undefined ? undefined : kept.get(from.key);
    if (before) return put(before.title, before.nodes, from.scroll ?? 0);
    const waiting = setTimeout(() => {
      const bones = [0, 1, 2].map(() => Object.assign(document.createElement("div"), { className: "skeleton" }));
      const view = Object.assign(document.createElement("div"), { className: "view" });
      view.append(...bones);
      main.setAttribute("aria-busy", "true");
      main.replaceChildren(view);
    }, SKELETON);
    try {
      const loaded = await load(wanted, signal);
      if (!signal.aborted) put(loaded.title, [part(loaded.view, loaded.values)], from.scroll ?? 0);
    } finally {
      clearTimeout(waiting);
    }
  } catch (error) {
    if (signal.aborted) return;
    shown = "";
    const trouble = part("trouble", {});
    trouble.querySelectorAll("p").forEach((it) => (it.textContent = inWords(error)));
    put("Trouble", [trouble], 0);
  }
}

/** Opens a chat's window, or brings it to the front. @param {number} id @param {AbortSignal} [signal] */
export async function openChat(id, signal) {
  const open = windows?.querySelector(`gb-chat[data-id="${id}"]`);
  windows?.querySelectorAll(".front").forEach((it) => it.classList.remove("front"));
  if (open) {
    open.classList.add("front");
    open.querySelector("textarea")?.focus({ preventScroll: true });
    return;
  }
  const { chat } = await ask(Chat, { chatId: id }, signal ? { signal } : {});
  if (!chat) return void (await go("/not-found"));
  const element = part("window", chat);
  element.classList.add("front");
  const most = innerWidth >= 1240 ? 2 : 3;
  while (windows && windows.childElementCount >= most) windows.firstElementChild?.remove();
  windows?.append(element);
  element.querySelector("textarea")?.focus({ preventScroll: true });
}

/** Goes to a page of ours. @param {string} url @param {{ replace?: boolean }} [how] */
export async function go(url, how = {}) {
  const { pathname } = new URL(url, location.href);
  if (pathname === location.pathname && !how.replace) {
    scrollTo({ top: 0 });
    return;
  }
  keep();
  if (!how.replace) now = Date.now();
  history[how.replace ? "replaceState" : "pushState"]({ at: now }, "", url);
  await show(pathname);
}

/** Remembers what is shown, for going back. */
function keep() {
  keepNodes();
  for (const key of [...kept.keys()].slice(0, -KEPT)) kept.delete(key);
  history.replaceState({ at: now, scroll: scrollY }, "");
}

/** Takes over links and the way back. */
export function route() {
  if (!viewer) return;
  history.scrollRestoration = "manual";
  history.replaceState({ at: now, scroll: scrollY }, "");
  windows?.lastElementChild?.classList.add("front");
  addEventListener("popstate", (event) => {
    keepNodes();
    now = Number(event.state?.at ?? Date.now());
    void show(location.pathname, { scroll: event.state?.scroll ?? 0, key: now });
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

/** What is left by going back may be come back to. */
function keepNodes() {
  kept.set(now, { nodes: [...main.childNodes], title });
}
