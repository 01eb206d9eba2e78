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

export class Posts extends Element {
  /** Posts that came while something else was read. @type {Post[]} */
  #new = [];
  #loading = false;

  start() {
    this.does({ more: () => void this.#more(), show: () => this.#show(), delete: (button) => this.#delete(button) });
    hear("post", this.signal, (post) => this.#heard(post));
    hear("resumed", this.signal, () => void this.#missed());
    this.on("gb:posted", (event) => this.#posted(event.detail), document);
    this.#watch();
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
      const posts = edges.map(({ node }) => node).filter((post) => !this.#has(post.id));
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
    if (this.#has(post.id) || this.#new.some(({ id }) => id === post.id)) return;
    this.#new.unshift(post);
    const pill = this.the("[data-do='show']");
    pill.textContent = this.#new.length === 1 ? "1 new post" : `${this.#new.length} new posts`;
    pill.hidden = false;
  }

  #show() {
    const posts = this.#new.filter(({ id }) => !this.#has(id)).map((post) => part("post", post));
    this.#new = [];
    posts.forEach((post) => post.classList.add("fresh"));
    this.#posts.prepend(...posts);
    this.the("[data-do='show']").hidden = true;
    scrollTo({ top: 0, behavior: "smooth" });
    posts[0]?.querySelector("a")?.focus({ preventScroll: true });
  }

  /** What was written while there was no connection. */
  async #missed() {
    try {
      const { edges } = await this.#page(null);
      for (const { node } of edges.reverse()) {
        const first = Number(this.#posts.querySelector("[data-id]")?.getAttribute("data-id") ?? 0);
        if (node.id > first) this.#heard(node);
      }
    } catch {
      // It is asked again when the connection is there again.
    }
  }

  /** One's own post is shown before the server has it. @param {{ pending: HTMLElement, post?: Post }} detail */
  #posted({ pending, post }) {
    if (post === undefined) this.#posts.prepend(pending);
    else if (this.#has(post.id)) pending.remove();
    else pending.replaceWith(part("post", post));
    this.#new = this.#new.filter(({ id }) => id !== post?.id);
    if (this.#new.length === 0) this.the("[data-do='show']").hidden = true;
  }

  /** @param {HTMLElement} button */
  #delete(button) {
    const post = button.closest("article");
    if (!post) return;
    const [next, parent] = [post.nextSibling, post.parentNode];
    post.remove();
    const back = () => parent?.insertBefore(post, next?.parentNode === parent ? next : null);
    const away = () => void really(true);
    const timer = setTimeout(() => void really(false), UNDO * 1000);
    // Who leaves the page meant it.
    addEventListener("pagehide", away);
    /** @param {boolean} keepalive */
    const really = async (keepalive) => {
      clearTimeout(timer);
      removeEventListener("pagehide", away);
      try {
        await ask(DeletePost, { postId: Number(post.dataset.id) }, { keepalive });
      } catch (error) {
        back();
        toast({ text: `The post was not deleted. ${inWords(error)}` });
      }
    };
    const undo = () => {
      clearTimeout(timer);
      removeEventListener("pagehide", away);
      back();
      button.focus();
    };
    toast({ text: "Post deleted.", action: "Undo", act: undo, seconds: UNDO });
  }
}
