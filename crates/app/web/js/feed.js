// @ts-check
// Posts: more of them at the foot, new ones behind a pill.

import { Batch } from "./batch.js";
import { deletePost, hideDeleted, isDeleted } from "./deletion.js";
import { Feed, Profile } from "./documents.js";
import { Element } from "./element.js";
import { ask } from "./graphql.js";
import { hear } from "./live.js";
import { part } from "./parts.js";
import { waitingIn } from "./windows.js";

/** Pages of what was missed. */
const MOST = 20;

export class Posts extends Element {
  /** Posts that came while something else was read. @type {Post[]} */
  #new = [];
  #loading = false;
  /** Up to this one, all are known: one's own may have overtaken others', and so may new ones while it is behind. @type {number | undefined} */
  #known;
  #behind = false;

  start() {
    this.does({ more: () => void this.#more(), show: () => this.#show(), delete: deletePost });
    hear("post", this.signal, (post) => {
      if (!this.#behind) this.#known = Math.max(this.#known ?? 0, post.id);
      this.#heard(post);
    });
    hear("connection", this.signal, (connected) => (this.#behind ||= !connected));
    hear("resumed", this.signal, () => void this.#missed());
    this.on("gb:posted", (event) => this.#posted(event.detail), document);
    hideDeleted(this.#posts);
    this.#watch();
    // Who comes back to it missed what came meanwhile.
    if (this.#known !== undefined) void this.#missed();
    this.#known ??= Number(this.#posts.querySelector("[data-id]")?.getAttribute("data-id") ?? 0);
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
    const batches = /** @type {NodeListOf<Batch>} */ (this.querySelectorAll("gb-batch"));
    return this.#posts.querySelector(`[data-id="${id}"]`) !== null || [...batches].some(({ posts }) => posts.some((post) => post.id === id));
  }

  /** @param {string | null | undefined} after */
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
    const end = waitingIn(this.the(".more"));
    try {
      const { edges, pageInfo } = await this.#page(section.dataset.after);
      const posts = edges.map(({ node }) => node).filter((post) => !this.#has(post.id));
      this.#posts.append(Object.assign(new Batch(), { posts }));
      section.dataset.after = pageInfo.endCursor ?? "";
      this.problem();
      if (pageInfo.hasNextPage) this.#watch();
      else {
        button.remove();
        section.append(Object.assign(document.createElement("p"), { className: "soft end", textContent: "That is all so far." }));
      }
    } catch (error) {
      this.problem(error);
    } finally {
      end();
      this.#loading = false;
      this.#posts.removeAttribute("aria-busy");
    }
  }

  /** @param {Post} post */
  #heard(post) {
    const { username } = this.dataset;
    if (username !== undefined && username !== post.user.username) return;
    if (this.#has(post.id) || isDeleted(post.id) || this.#new.some(({ id }) => id === post.id)) return;
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
    for (const post of posts) {
      post.classList.add("fresh");
      const older = [...this.#posts.querySelectorAll(":scope > [data-id], :scope > gb-batch")].find((it) => !(Number(it.getAttribute("data-id") ?? 0) > Number(post.dataset.id)));
      this.#posts.insertBefore(post, older ?? null);
    }
    this.#pill();
    scrollTo({ top: 0, behavior: matchMedia("(prefers-reduced-motion: reduce)").matches ? "auto" : "smooth" });
    /** @type {HTMLElement | null | undefined} */ (posts[0]?.querySelector(".name"))?.focus({ preventScroll: true });
  }

  /** What was written while there was no connection. */
  async #missed() {
    this.#behind = true;
    try {
      const known = this.#known ?? 0;
      let [newest, after] = [known, /** @type {string | null | undefined} */ (null)];
      for (let pages = 0; pages < MOST; pages += 1) {
        const { edges, pageInfo } = await this.#page(after);
        const missed = edges.map(({ node }) => node).filter(({ id }) => id > known);
        for (const post of missed) this.#heard(post);
        newest = Math.max(newest, ...missed.map(({ id }) => id));
        if (missed.length < edges.length || !pageInfo.hasNextPage) break;
        after = pageInfo.endCursor;
      }
      this.#known = newest;
      this.#behind = false;
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
}
