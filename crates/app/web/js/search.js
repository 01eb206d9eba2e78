// @ts-check
// Finds people while one types; arrow keys choose, Enter goes there.

import { AddChat, Search } from "./documents.js";
import { Element, inWords, isComposing } from "./element.js";
import { ask } from "./graphql.js";
import { part } from "./parts.js";
import { go } from "./router.js";
import { toast } from "./toasts.js";

/** The server finds nobody for fewer. */
const LEAST = 3;
const PAUSE = 150;

export class SearchBox extends Element {
  #chosen = -1;
  #asking = new AbortController();
  /** A chat is started with who is chosen. */
  #toChat = false;
  /** Enter was pressed before anybody was found. */
  #wanted = false;
  /** @type {number | undefined} */
  #timer;

  start() {
    const input = this.#input;
    this.on("input", () => {
      clearTimeout(this.#timer);
      this.#asking.abort();
      this.#wanted = false;
      const text = input.value.trim();
      // Of an earlier text, nobody is meant.
      this.#show([], "");
      if ([...text].length < LEAST) return this.#show([], text === "" ? "" : "Go on: three letters at least.");
      this.#timer = setTimeout(() => void this.#find(text), PAUSE);
    });
    this.on("keydown", (event) => this.#key(event));
    this.on("click", (event) => {
      const row = event.target instanceof window.Element ? event.target.closest(".found-row") : null;
      if (!(row instanceof HTMLAnchorElement) || event.metaKey || event.ctrlKey || event.shiftKey) return;
      event.preventDefault();
      void this.#choose(row);
    });
    this.on("gb:new-chat", () => {
      this.#away(true);
      this.#toChat = true;
      input.placeholder = "Chat with…";
      input.focus();
    }, document);
    this.on("focusout", (event) => {
      if (!(event.relatedTarget instanceof Node && this.contains(event.relatedTarget))) this.#away(false);
    });
  }

  get #input() {
    return /** @type {HTMLInputElement} */ (this.the("input"));
  }

  get #list() {
    return this.the("ul");
  }

  /** @param {string} text */
  async #find(text) {
    this.#asking = new AbortController();
    const { signal } = this.#asking;
    try {
      const { usersSearch } = await ask(Search, { text }, { signal });
      if (signal.aborted) return;
      this.#show(usersSearch.users, `There is nobody called “${text}”.`);
      if (this.#wanted) this.#enter();
    } catch (error) {
      if (!signal.aborted) this.#show([], error instanceof Error ? error.message : "");
    }
  }

  /** @param {any[]} users @param {string} otherwise */
  #show(users, otherwise) {
    this.#chosen = -1;
    this.#list.replaceChildren(...users.map((user) => part("found", user)));
    const note = this.the(".found-note");
    note.textContent = users.length > 0 ? `${users.length} found` : otherwise;
    note.classList.toggle("visually-hidden", users.length > 0);
    note.classList.toggle("found", users.length === 0);
    note.hidden = note.textContent === "";
    this.#list.hidden = this.#list.childElementCount === 0;
    this.#input.setAttribute("aria-expanded", String(!this.#list.hidden));
    this.#input.removeAttribute("aria-activedescendant");
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    const rows = this.#rows;
    if (isComposing(event)) return;
    if (event.key === "Escape") this.#away(true);
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      if (rows.length === 0) return;
      event.preventDefault();
      const step = event.key === "ArrowDown" ? 1 : -1;
      this.#chosen = (this.#chosen + step + rows.length) % rows.length;
      rows.forEach((row, at) => row.setAttribute("aria-selected", String(at === this.#chosen)));
      this.#input.setAttribute("aria-activedescendant", rows[this.#chosen]?.id ?? "");
      rows[this.#chosen]?.scrollIntoView({ block: "nearest" });
    }
    if (event.key === "Enter") {
      event.preventDefault();
      this.#enter();
    }
  }

  /** @returns {HTMLAnchorElement[]} */
  get #rows() {
    return [...this.#list.querySelectorAll("a")];
  }

  /** Goes to who is chosen, or comes first; as soon as somebody is found. */
  #enter() {
    const rows = this.#rows;
    const row = rows[this.#chosen] ?? rows[0];
    this.#wanted = !row;
    if (row) void this.#choose(row);
  }

  /** Leads to somebody's page, or to a chat with them. @param {HTMLAnchorElement} row */
  async #choose(row) {
    const toChat = this.#toChat;
    this.#away(true);
    if (!toChat) return void go(row.href);
    try {
      const { addChat } = await ask(AddChat, { users: [Number(row.getAttribute("data-user-id"))] });
      await go(`/chats/${addChat.id}`);
    } catch (error) {
      toast({ text: inWords(error) });
    }
  }

  /** @param {boolean} clear */
  #away(clear) {
    this.#asking.abort();
    clearTimeout(this.#timer);
    if (clear || this.#input.value === "") {
      this.#toChat = false;
      this.#input.placeholder = "Search people";
    }
    if (clear) this.#input.value = "";
    this.#show([], "");
  }
}
