// @ts-check
// Posts: more of them at the foot, new ones behind a pill, one's own deleted with time to think again.

import { DeletePost, Feed, Profile } from "./documents.js";
import { Element, inWords } from "./element.js";
import { ask } from "./graphql.js";
import { hear } from "./live.js";
import { part } from "./parts.js";
import { toast } from "./toasts.js";

/** So long a deletion can be taken back, in seconds. */
const UNDO = 6;
/** Pages of what was missed. */
const MOST = 20;

/** Posts that are being deleted, and what deletes them now. @type {Map<number, () => Promise<void>>} */
const deleting = new Map();

/** Who leaves meant it: deletes now what waits to be. */
export function deleteNow() {
  return Promise.all([...deleting.values()].map((really) => really()));
}

export class Posts extends Element {
  /** Posts that came while something else was read. @type {Post[]} */
  #new = [];
  #loading = false;
  #wasHere = false;

  start() {
    this.does({ more: () => void this.#more(), show: () => this.#show(), delete: (button) => this.#delete(button) });
    hear("post", this.signal, (post) => this.#heard(post));
    hear("resumed", this.signal, () => void this.#missed());
    this.on("gb:posted", (event) => this.#posted(event.detail), document);
    for (const id of deleting.keys()) this.#posts.querySelector(`[data-id="${id}"]`)?.remove();
    this.#watch();
    // Who comes back to it missed what came meanwhile.
    if (this.#wasHere) void this.#missed();
    this.#wasHere = true;
  }

  /** Goes on as soon as the foot is near: also if it still is, which an observer does not tell again. */
  #watch() {
    const button = this.querySelector("[data-do='more']");
    if (!button) return;
    const observer = new IntersectionObserver((entries) => {
      if (!entries.some((entry) => entry.isIntersecting)) return;
      observer.disconnect();
      void this.#more();
    }, { rootMargin: "800px" });
    observer.observe(button);
    this.signal.addEventListener("abort", () => observer.disconnect(), { once: true });
  }

  get #posts() {
    return this.the(".posts");
  }

  /** @param {number} id */
  #has(id) {
    return this.#posts.querySelector(`[data-id="${id}"]`) !== null;
  }

  /** @param {string | null} after */
  async #page(after) {
    const { username } = this.dataset;
    const { feed } = username === undefined ? await ask(Feed, { after }) : await ask(Profile, { username, after });
    return feed;
  }

  async #more() {
    const section = this.the("section");
    const button = this.querySelector("[data-do='more']");
    if (this.#loading || !button || !section.dataset.after) return;
    this.#loading = true;
    this.#posts.setAttribute("aria-busy", "true");
    try {
      const { edges, pageInfo } = await this.#page(section.dataset.after);
      const posts = edges.map(({ node }) => node).filter((post) => !this.#has(post.id) && !deleting.has(post.id));
      this.#posts.append(...posts.map((post) => part("post", post)));
      section.dataset.after = pageInfo.endCursor ?? "";
      this.problem();
      if (pageInfo.hasNextPage) this.#watch();
      else {
        button.remove();
        const end = document.createElement("p");
        end.className = "soft end";
        end.textContent = "That is all so far.";
        section.append(end);
      }
    } catch (error) {
      this.problem(error);
    } finally {
      this.#loading = false;
      this.#posts.removeAttribute("aria-busy");
    }
  }

  /** @param {Post} post */
  #heard(post) {
    const { username } = this.dataset;
    if (username !== undefined && username !== post.user.username) return;
    if (this.#has(post.id) || deleting.has(post.id) || this.#new.some(({ id }) => id === post.id)) return;
    this.#new.push(post);
    this.#new.sort((a, b) => b.id - a.id);
    this.#pill();
  }

  #pill() {
    const pill = this.the("[data-do='show']");
    pill.textContent = this.#new.length === 1 ? "1 new post" : `${this.#new.length} new posts`;
    pill.hidden = this.#new.length === 0;
  }

  #show() {
    const posts = this.#new.filter(({ id }) => !this.#has(id)).map((post) => part("post", post));
    this.#new = [];
    posts.forEach((post) => post.classList.add("fresh"));
    this.#posts.prepend(...posts);
    this.#pill();
    scrollTo({ top: 0, behavior: matchMedia("(prefers-reduced-motion: reduce)").matches ? "auto" : "smooth" });
    posts[0]?.querySelector("a")?.focus({ preventScroll: true });
  }

  /** What was written while there was no connection. */
  async #missed() {
    try {
      const first = Number(this.#posts.querySelector("[data-id]")?.getAttribute("data-id") ?? 0);
      let after = null;
      for (let pages = 0; pages < MOST; pages += 1) {
        const { edges, pageInfo } = await this.#page(after);
        const missed = edges.map(({ node }) => node).filter(({ id }) => id > first);
        for (const post of missed) this.#heard(post);
        if (missed.length < edges.length || !pageInfo.hasNextPage) break;
        after = pageInfo.endCursor;
      }
    } catch {
      // It is asked again when the connection is there again.
    }
  }

  /** One's own post is shown before the server has it. @param {{ pending: HTMLElement, post?: Post }} detail */
  #posted({ pending, post }) {
    if (post === undefined) this.#posts.prepend(pending);
    this.#new = this.#new.filter(({ id }) => id !== post?.id);
    this.#pill();
  }

  /** @param {HTMLElement} button */
  #delete(button) {
    const post = button.closest("article");
    if (!post) return;
    const id = Number(post.dataset.id);
    const [next, parent] = [post.nextSibling, post.parentNode];
    post.remove();
    const away = () => void really(true);
    const forget = () => {
      clearTimeout(timer);
      removeEventListener("pagehide", away);
      deleting.delete(id);
    };
    const back = () => {
      forget();
      parent?.insertBefore(post, next?.parentNode === parent ? next : parent.firstChild);
    };
    const really = async (keepalive = false) => {
      clearTimeout(timer);
      removeEventListener("pagehide", away);
      try {
        await ask(DeletePost, { postId: id }, { keepalive });
        deleting.delete(id);
      } catch (error) {
        back();
        toast({ text: `The post was not deleted. ${inWords(error)}` });
      }
    };
    const timer = setTimeout(() => void really(), UNDO * 1000);
    deleting.set(id, really);
    addEventListener("pagehide", away);
    const undo = () => {
      back();
      button.focus();
    };
    toast({ text: "Post deleted.", action: "Undo", act: undo, seconds: UNDO, focus: true });
  }
}
