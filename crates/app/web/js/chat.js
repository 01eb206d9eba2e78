// @ts-check
// An open chat: its messages, older ones on demand, and what one says.

import { Chat } from "./documents.js";
import { keepDraft } from "./drafts.js";
import { Element, isComposing, sendWithEnter } from "./element.js";
import { ask } from "./graphql.js";
import { hear } from "./live.js";
import { post, waiting } from "./outbox.js";
import { part } from "./parts.js";
import { hasRead } from "./read.js";
import { besides, go, isNarrow } from "./router.js";
import { viewer } from "./viewer.js";
import { waitingIn } from "./windows.js";

/** So many messages are asked for at a time (queries/Chat.graphql). */
const PAGE = 30;

export class ChatWindow extends Element {
  #chat = 0;
  /** Whether the foot is in sight: only then new messages may move what is read, and are read. */
  #atEnd = true;
  /** Up to this one, all are known: one's own may have overtaken others', and so may new ones while it is behind. */
  #known = 0;
  #behind = false;

  start() {
    this.#chat = Number(this.dataset.id);
    const area = /** @type {HTMLTextAreaElement} */ (this.the("textarea"));
    this.#name();
    this.the(".more").hidden = this.#rows.querySelectorAll("[data-id]").length < PAGE;
    for (const letter of waiting().filter(({ chat }) => chat === this.#chat)) this.#pend(letter);
    this.#known = this.#last();
    this.#toEnd();
    this.#read();
    this.#follow();
    sendWithEnter(area, this.signal);
    const keep = keepDraft(area, `chat-${this.#chat}`, this.signal);
    this.does({ close: () => this.#close(), older: (button) => void this.busy(button, () => this.#before()) });
    this.on("submit", (event) => {
      event.preventDefault();
      const text = area.value.trim();
      if (text === "") return;
      this.problem();
      this.#pend(post(this.#chat, text));
      area.value = "";
      keep();
      this.#toEnd();
    });
    this.on("keydown", (event) => {
      if (event.key === "Escape" && !isComposing(event)) this.#close();
    });
    this.on("focusin", () => this.#read());
    this.on("gb:sent", (event) => this.#sent(event), document);
    this.on("gb:said", ({ detail }) => detail.chat === this.#chat && this.#add([detail.message]), document);
    this.on("visibilitychange", () => this.#read(), document);
    hear("message", this.signal, (message) => {
      if (message.chat.id !== this.#chat) return;
      if (!this.#behind) this.#known = Math.max(this.#known, message.id);
      this.#add([message]);
      this.#read();
    });
    hear("connection", this.signal, (connected) => (this.#behind ||= !connected));
    hear("resumed", this.signal, () => void this.#missed());
  }

  get #log() {
    return this.the(".messages");
  }

  get #rows() {
    return this.the(".message-rows");
  }

  #name() {
    const names = [...this.querySelectorAll(".other")].map((it) => it.textContent);
    this.setAttribute("aria-label", `Chat with ${names.join(", ")}`);
    this.the("[data-do='close']").setAttribute("aria-label", `Close the chat with ${names.join(", ")}`);
  }

  /** Stays at the end also when a keyboard or a long text takes room. */
  #follow() {
    const log = this.#log;
    this.on("scroll", () => {
      this.#atEnd = log.scrollHeight - log.scrollTop - log.clientHeight < 60;
      this.#read();
    }, log);
    const observer = new ResizeObserver(() => this.#atEnd && this.#toEnd());
    observer.observe(log);
    this.signal.addEventListener("abort", () => observer.disconnect(), { once: true });
  }

  #toEnd() {
    this.#atEnd = true;
    this.#log.scrollTop = this.#log.scrollHeight;
  }

  #last() {
    const ids = [...this.#rows.querySelectorAll("[data-id]")].map((it) => Number(it.getAttribute("data-id")));
    return Math.max(0, ...ids);
  }

  #read() {
    if (document.hidden || !this.#atEnd || !this.checkVisibility()) return;
    const row = document.querySelector(`.chat-row[data-id="${this.#chat}"]`);
    if (this.#last() > 0 && (!row || row.classList.contains("unread"))) hasRead(this.#chat, this.#last());
  }

  /** Adds what is not there yet, in its place. @param {Message[]} messages */
  #add(messages) {
    const stay = this.#atEnd;
    for (const message of messages) {
      if (this.#rows.querySelector(`[data-id="${message.id}"]`)) continue;
      const next = [...this.#rows.children].find((row) => !row.hasAttribute("data-id") || Number(row.getAttribute("data-id")) > message.id);
      this.#rows.insertBefore(part("message", message), next ?? null);
    }
    if (stay) this.#toEnd();
  }

  /** @param {import("./outbox.js").Letter} letter */
  #pend({ key, text, at }) {
    const row = part("message", { text, createdAt: at, user: viewer });
    row.classList.add("pending");
    row.dataset.key = key;
    this.#rows.append(row);
  }

  /** @param {HTMLElementEventMap["gb:sent"]} event */
  #sent(event) {
    const { key, message, problem } = event.detail;
    const row = this.#rows.querySelector(`[data-key="${key}"]`);
    if (!row) return;
    if (problem && this.checkVisibility()) {
      this.problem(problem);
      event.preventDefault();
    }
    // The same row, so that it is not read out again.
    if (!message) row.remove();
    else if (this.#rows.querySelector(`[data-id="${message.id}"]`)) row.remove();
    else {
      row.classList.remove("pending");
      row.removeAttribute("data-key");
      row.setAttribute("data-id", String(message.id));
    }
  }

  async #before() {
    const end = waitingIn(this.the(".more"));
    const first = this.#rows.querySelector("[data-id]")?.getAttribute("data-id");
    try {
      const { chat } = await ask(Chat, { chatId: this.#chat, before: Number(first) });
      const messages = chat?.messages ?? [];
      const height = this.#log.scrollHeight - this.#log.scrollTop;
      // Old ones are no news.
      this.#log.setAttribute("aria-live", "off");
      this.#rows.prepend(...messages.map((message) => part("message", message)));
      this.#log.removeAttribute("aria-live");
      this.the(".more").hidden = messages.length < PAGE;
      this.#log.scrollTop = this.#log.scrollHeight - height;
      this.problem();
    } catch (error) {
      this.problem(error);
    } finally {
      end();
    }
  }

  /** What was said while there was no connection. */
  async #missed() {
    this.#behind = true;
    try {
      /** @type {Message[]} */
      let missed = [];
      /** @type {number | undefined} */
      let before;
      for (let pages = 0; pages < 20; pages += 1) {
        const { chat } = await ask(Chat, { chatId: this.#chat, before });
        const messages = chat?.messages ?? [];
        missed = [...messages, ...missed];
        before = messages[0]?.id;
        if (before === undefined || before <= this.#known || messages.length < PAGE) break;
      }
      this.#known = Math.max(this.#known, ...missed.map(({ id }) => id));
      this.#behind = false;
      this.#add(missed);
      this.#read();
    } catch {
      // It is asked again when the connection is there again.
    }
  }

  #close() {
    this.remove();
    if (location.pathname === `/chats/${this.#chat}`) void go(isNarrow() ? "/chats" : besides());
    const row = document.querySelector(`.chat-row[data-id="${this.#chat}"] a`);
    if (row instanceof HTMLElement) row.focus({ preventScroll: true });
  }
}
