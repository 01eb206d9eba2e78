// @ts-check
// The list of chats: the one with the latest message first, with how many are unread.

import { Frame } from "./documents.js";
import { Element } from "./element.js";
import { ask } from "./graphql.js";
import { hear } from "./live.js";
import { part } from "./parts.js";
import { toast } from "./toasts.js";

/** More are not counted (the schema, Chat.unread). */
const MOST = 99;

export class Chats extends Element {
  start() {
    this.does({ new: () => document.dispatchEvent(new Event("gb:new-chat")) });
    hear("message", this.signal, (message) => this.#message(message));
    hear("resumed", this.signal, () => void this.#refresh());
    this.on("gb:said", (event) => this.#said(event.detail), document);
    this.on("gb:read", ({ detail }) => {
      const row = this.#row(detail);
      if (row) this.#mark(row, 0);
    }, document);
    for (const row of this.#rows.querySelectorAll(".unread")) if (row instanceof HTMLElement) this.#mark(row, Number(row.dataset.unread));
    this.#count();
  }

  get #rows() {
    return this.the(".chat-rows");
  }

  /** @param {number} chat @returns {HTMLElement | null} */
  #row(chat) {
    return this.#rows.querySelector(`[data-id="${chat}"]`);
  }

  async #refresh() {
    try {
      const { chats } = await ask(Frame, {});
      this.#keepFocus(() => this.#rows.replaceChildren(...chats.map((chat) => part("chat-row", chat))));
      this.the(".none").classList.toggle("gone", chats.length > 0);
      for (const row of this.#rows.querySelectorAll(".unread")) if (row instanceof HTMLElement) this.#mark(row, Number(row.dataset.unread));
      this.#count();
    } catch {
      // It is asked again when the connection is there again.
    }
  }

  /** Somebody else wrote. @param {NewMessage} message */
  async #message(message) {
    const { id } = message.chat;
    const row = this.#row(id);
    if (row) {
      this.#mark(row, Number(row.dataset.unread ?? 0) + 1);
      this.#said({ chat: id, message });
    } else await this.#refresh();
    const open = document.querySelector(`gb-chat[data-id="${id}"]`);
    if (open && open.checkVisibility() && !document.hidden) return;
    toast({ title: message.user.username, text: message.text, href: `/chats/${id}` });
  }

  /** A message is a chat's last. @param {{ chat: number, message: Message }} said */
  #said({ chat, message }) {
    const row = this.#row(chat);
    if (!row) return void this.#refresh();
    const last = this.#part(row, ".chat-last");
    last.textContent = message.text;
    const time = this.#part(row, "time");
    time.setAttribute("datetime", message.createdAt);
    time.textContent = "now";
    if (this.#rows.firstElementChild !== row) this.#keepFocus(() => this.#rows.prepend(row));
  }

  /** Rows are moved and made anew while somebody is at one of them. @param {() => void} change */
  #keepFocus(change) {
    const id = document.activeElement?.closest(".chat-row")?.getAttribute("data-id");
    change();
    if (id) this.#row(Number(id))?.querySelector("a")?.focus({ preventScroll: true });
  }

  /** @param {Element | HTMLElement} row @param {string} selector */
  #part(row, selector) {
    return /** @type {HTMLElement} */ (row.querySelector(selector));
  }

  /** @param {HTMLElement} row @param {number} unread */
  #mark(row, unread) {
    row.dataset.unread = String(unread);
    row.classList.toggle("unread", unread > 0);
    const badge = this.#part(row, ".count");
    badge.textContent = unread > MOST ? `${MOST}+` : String(unread);
    badge.setAttribute("role", "img");
    badge.setAttribute("aria-label", `${badge.textContent} unread`);
    this.#count();
  }

  /** In how many chats something is unread. */
  #count() {
    const chats = this.#rows.querySelectorAll(".unread").length;
    const link = document.querySelector(".to-chats");
    const badge = link?.querySelector(".count");
    if (!(badge instanceof HTMLElement)) return;
    badge.hidden = chats === 0;
    badge.textContent = String(chats);
    link?.setAttribute("aria-label", chats === 0 ? "Chats" : `Chats, ${chats} unread`);
  }
}
