// @ts-check
// Writing a post: it is there at once, and comes back into the box if the server does not take it.

import { AddPost } from "./documents.js";
import { keepDraft, putBack } from "./drafts.js";
import { Element, inWords } from "./element.js";
import { Refusal, ask } from "./graphql.js";
import { newKey } from "./keys.js";
import { part } from "./parts.js";
import { toast } from "./toasts.js";
import { viewer } from "./viewer.js";

/** What was sent and not answered, and its keys: the server may have it all the same, also after a reload. */
const UNSURE = `unsure-${viewer?.id}`;

/** The key of a text, or none any more. @param {string} text @param {string} [key] */
function keyOf(text, key) {
  const { [text]: known, ...others } = JSON.parse(sessionStorage.getItem(UNSURE) ?? "{}");
  sessionStorage.setItem(UNSURE, JSON.stringify(key === undefined ? others : { ...others, [text]: known ?? key }));
  return known ?? key;
}

export class Composer extends Element {
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
    this.on("gb:draft", refresh, document);
    this.on("keydown", (event) => {
      if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) area.form?.requestSubmit();
    });
    this.on("submit", (event) => {
      event.preventDefault();
      const text = area.value.trim();
      if (text === "") return;
      area.value = "";
      refresh();
      void this.#post(text, area);
    });
  }

  /** @param {string} text @param {HTMLTextAreaElement} area */
  async #post(text, area) {
    this.problem();
    const pending = part("post", { id: 0, text, createdAt: new Date().toISOString(), user: viewer });
    pending.querySelector("[data-do]")?.remove();
    pending.removeAttribute("data-id");
    pending.classList.add("pending", "fresh");
    /** @param {Post} [post] */
    const tell = (post) => document.dispatchEvent(new CustomEvent("gb:posted", { detail: { pending, post } }));
    tell();
    try {
      const { addPost } = await ask(AddPost, { text, key: keyOf(text, newKey()) });
      keyOf(text);
      tell(addPost);
      const others = pending.parentElement?.querySelector(`[data-id="${addPost.id}"]`);
      if (others) pending.remove();
      else pending.replaceWith(part("post", addPost));
    } catch (error) {
      pending.remove();
      if (error instanceof Refusal) keyOf(text);
      // What was written meanwhile stays as well; it comes back to whatever box there is now.
      putBack("post", text);
      if (!this.isConnected) return void toast({ text: `The post was not sent. ${inWords(error)}`, title: "", href: "/app" });
      if (this.contains(document.activeElement) || document.activeElement === document.body) area.focus({ preventScroll: true });
      this.problem(error);
    }
  }
}
