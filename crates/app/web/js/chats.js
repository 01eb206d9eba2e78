// @ts-check
// The list of chats: the one with the latest message first, with how many are unread.

import { Frame } from "./documents.js";
import { Element } from "./element.js";
import { ask } from "./graphql.js";
import { hear } from "./live.js";
import { part } from "./parts.js";
import { begin, heard, heardAfter, readUpTo } from "./read.js";
import { toast } from "./toasts.js";
import { viewer } from "./viewer.js";

export class Chats extends Element {

  start() {
    this.does({ new: () => document.dispatchEvent(new Event("gb:new-chat")) });
    hear("message", this.signal, (message) => this.#message(message));
    hear("resumed", this.signal, () => void this.#refresh());
    this.on("gb:said", (event) => this.#said(event.detail), document);
    this.on("gb:read", () => this.#count(), window);
    this.on("storage", () => this.#count(), window);
    const rows = [...this.#rows.querySelectorAll("[data-id]")];
    begin(rows.map((row) => [Number(row.getAttribute("data-id")), Number(row.getAttribute("data-last") ?? 0)]));
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
      this.#rows.replaceChildren(...chats.map((chat) => part("chat-row", chat)));
      this.the(".none").classList.toggle("gone", chats.length > 0);
      this.#count();
    } catch {
      // It is asked again when the connection is there again.
    }
  }

  /** Somebody else wrote. @param {NewMessage} message */
  async #message(message) {
    const { id } = message.chat;
    heard(id, message.id);
    if (this.#row(id)) this.#said({ chat: id, message });
    else await this.#refresh();
    this.#count();
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
    row.dataset.last = String(message.id);
    row.dataset.lastBy = String(message.user.id);
    if (this.#rows.firstElementChild !== row) this.#rows.prepend(row);
  }

  /** @param {Element | HTMLElement} row @param {string} selector */
  #part(row, selector) {
    return /** @type {HTMLElement} */ (row.querySelector(selector));
  }

  #count() {
    let unread = 0;
    for (const row of this.#rows.querySelectorAll("[data-id]")) {
      if (!(row instanceof HTMLElement)) continue;
      const id = Number(row.dataset.id);
      const read = readUpTo(id);
      const isUnread = Number(row.dataset.last ?? 0) > read && row.dataset.lastBy !== String(viewer?.id);
      const count = heardAfter(id, read);
      row.classList.toggle("unread", isUnread);
      const badge = this.#part(row, ".count");
      badge.hidden = !isUnread;
      // Of those from when no page was open, the number is not known.
      badge.textContent = count > 0 ? String(count) : "•";
      badge.setAttribute("aria-label", count > 0 ? `${count} unread` : "unread");
      badge.setAttribute("role", "img");
      unread += isUnread ? 1 : 0;
    }
    const all = document.querySelector(".to-chats .count");
    if (all instanceof HTMLElement) {
      all.hidden = unread === 0;
      all.textContent = String(unread);
    }
  }
}
