// @ts-check
// Writing a post: it is there at once, and comes back into the box if the server does not take it.

import { AddPost } from "./documents.js";
import { keepDraft } from "./drafts.js";
import { Element } from "./element.js";
import { ask } from "./graphql.js";
import { newKey } from "./keys.js";
import { part } from "./parts.js";
import { viewer } from "./viewer.js";

export class Composer extends Element {
  /** What could not be sent, and its key: the server may have it all the same. */
  #unsure = { text: "", key: "" };

  start() {
    const area = /** @type {HTMLTextAreaElement} */ (this.the("textarea"));
    const button = /** @type {HTMLButtonElement} */ (this.the("button"));
    const keep = keepDraft(area, "post", this.signal);
    const refresh = () => {
      button.disabled = area.value.trim() === "";
      keep();
    };
    refresh();
    this.on("input", refresh);
    this.on("keydown", (event) => {
      if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) area.form?.requestSubmit();
    });
    this.on("submit", (event) => {
      event.preventDefault();
      const text = area.value.trim();
      if (text === "") return;
      area.value = "";
      refresh();
      void this.#post(text, area, refresh);
    });
  }

  /** @param {string} text @param {HTMLTextAreaElement} area @param {() => void} refresh */
  async #post(text, area, refresh) {
    this.problem();
    const pending = part("post", { id: 0, text, createdAt: new Date().toISOString(), user: viewer });
    pending.querySelector("[data-do]")?.remove();
    pending.removeAttribute("data-id");
    pending.classList.add("pending", "fresh");
    /** @param {Post} [post] */
    const tell = (post) => document.dispatchEvent(new CustomEvent("gb:posted", { detail: { pending, post } }));
    tell();
    try {
      const key = this.#unsure.text === text ? this.#unsure.key : newKey();
      this.#unsure = { text, key };
      const { addPost } = await ask(AddPost, { text, key });
      this.#unsure = { text: "", key: "" };
      tell(addPost);
      const others = pending.parentElement?.querySelector(`[data-id="${addPost.id}"]`);
      if (others) pending.remove();
      else pending.replaceWith(part("post", addPost));
    } catch (error) {
      pending.remove();
      // What was written meanwhile stays as well.
      area.value = area.value.trim() === "" ? text : `${text}\n\n${area.value}`;
      refresh();
      area.focus();
      this.problem(error);
    }
  }
}
