// @ts-check
// Messages on their way: they wait while there is no connection, also over a reload, and go out in order.

import { AddMessage } from "./documents.js";
import { Unreachable, ask } from "./graphql.js";
import { live } from "./live.js";
import { viewer } from "./viewer.js";

/** @typedef {{ key: string, chat: number, text: string, at: string }} Letter */

const KEY = `outbox-${viewer?.id ?? 0}`;
const PAUSE = 3000;
/** The other pages of this browser: the server tells nobody what they said themselves. */
const pages = new BroadcastChannel(KEY);

/** @returns {Letter[]} */
export function waiting() {
  try {
    return JSON.parse(localStorage.getItem(KEY) ?? "[]");
  } catch {
    return [];
  }
}

/** @param {Letter[]} letters */
function store(letters) {
  localStorage.setItem(KEY, JSON.stringify(letters));
}

/** @param {string} key @param {{ message?: Message, problem?: string }} what */
function tell(key, what) {
  document.dispatchEvent(new CustomEvent("gb:sent", { detail: { key, ...what } }));
}

/** @param {{ chat: number, message: Message }} detail */
function said(detail) {
  document.dispatchEvent(new CustomEvent("gb:said", { detail }));
}

/** Takes a message to be sent. @param {number} chat @param {string} text @returns {Letter} */
export function post(chat, text) {
  const letter = { key: crypto.randomUUID(), chat, text, at: new Date().toISOString() };
  store([...waiting(), letter]);
  void send();
  return letter;
}

/** Sends what waits. One page of several does it at a time. */
export function send() {
  return navigator.locks.request(KEY, { ifAvailable: true }, async (lock) => {
    if (!lock) return;
    for (let letter = waiting()[0]; letter; letter = waiting()[0]) {
      const { key, chat, text } = letter;
      const done = () => store(waiting().filter((it) => it.key !== key));
      try {
        const { addMessage } = await ask(AddMessage, { chatId: chat, text, key });
        done();
        tell(key, { message: addMessage });
        said({ chat, message: addMessage });
        pages.postMessage({ chat, message: addMessage });
      } catch (error) {
        if (error instanceof Unreachable) return void setTimeout(() => void send(), PAUSE);
        // Trying again would not help: it comes back to who wrote it.
        done();
        tell(key, { problem: error instanceof Error ? error.message : String(error) });
      }
    }
  });
}

export function startSending() {
  live.addEventListener("resumed", () => void send());
  addEventListener("online", () => void send());
  pages.addEventListener("message", (event) => said(event.data));
  void send();
}
