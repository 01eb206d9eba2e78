// @ts-check
// Posts that came together. Of a batch that is far from what is seen, only its room is kept, and what it is
// made of: a feed that is scrolled through for an hour is as light as a new one.

import { hideDeleted } from "./deletion.js";
import { Element } from "./element.js";
import { part } from "./parts.js";

/** So far from what is seen, in pixels, posts are let go. */
const FAR = 3000;

export class Batch extends Element {
  /** @type {Post[]} */
  posts = [];
  #away = true;

  start() {
    // One that comes back as it was left is filled when it is near.
    if (this.style.height === "") this.#fill();
    const observer = new IntersectionObserver((entries) => (entries.at(-1)?.isIntersecting ? this.#fill() : this.#empty()), {
      rootMargin: `${FAR}px 0px`,
    });
    observer.observe(this);
    this.signal.addEventListener("abort", () => observer.disconnect(), { once: true });
  }

  #fill() {
    if (!this.#away) return;
    this.#away = false;
    const { bottom, height } = this.getBoundingClientRect();
    this.append(...this.posts.map((post) => part("post", post)));
    this.style.height = "";
    hideDeleted(this);
    // Where the browser does not keep what is read in its place.
    if (bottom < 0 && !CSS.supports("overflow-anchor", "auto")) scrollBy({ top: this.getBoundingClientRect().height - height, behavior: "instant" });
  }

  #empty() {
    // Where somebody is, or may come back to, stays.
    const taken = this.contains(document.activeElement) || this.querySelector(".post[hidden]") || getSelection()?.containsNode(this, true);
    if (this.#away || taken || !this.checkVisibility()) return;
    this.#away = true;
    this.style.height = `${this.getBoundingClientRect().height}px`;
    this.posts = this.posts.filter(({ id }) => this.querySelector(`[data-id="${id}"]`));
    this.replaceChildren();
  }
}
