// @ts-check
// Messages on their way: they wait while there is no connection, also over a reload, and go out in order.

import { AddMessage } from "./documents.js";
import { putBack } from "./drafts.js";
import { inWords } from "./element.js";
import { Refusal, ask } from "./graphql.js";
import { newKey } from "./keys.js";
import { live } from "./live.js";
import { toast } from "./toasts.js";
import { viewer } from "./viewer.js";

/** @typedef {{ key: string, chat: number, text: string, at: string }} Letter */

const KEY = `outbox-${viewer?.id ?? 0}`;
const PAUSE = 3000;
const LONG_PAUSE = 15_000;
/** A connection that is gone may say so after minutes only. */
const PATIENCE = 15_000;
/** Refusals that are no judgement of the message. */
const NOT_YET = new Set(["UNAUTHENTICATED", "INTERNAL_SERVER_ERROR", "RATE_LIMITED"]);
/** The other pages of this browser: the server tells nobody what they said themselves. */
const pages = new BroadcastChannel(KEY);
/** So long another page has to take back what it wrote, in milliseconds. */
const TAKE = 1000;
/** What was written in this page. @type {Set<string>} */
const ours = new Set();
/** What was refused here and written elsewhere, maybe in a page that is gone. @type {Map<string, number>} */
const untaken = new Map();

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

/** Tells what became of a message; whether its chat has shown that. @param {HTMLElementEventMap["gb:sent"]["detail"]} detail */
function tell(detail) {
  return !document.dispatchEvent(new CustomEvent("gb:sent", { detail, cancelable: true }));
}

/** @param {{ chat: number, message: Message }} detail */
function said(detail) {
  document.dispatchEvent(new CustomEvent("gb:said", { detail }));
}

/** Takes a message to be sent. @param {number} chat @param {string} text @returns {Letter} */
export function post(chat, text) {
  const letter = { key: newKey(), chat, text, at: new Date().toISOString() };
  ours.add(letter.key);
  store([...waiting(), letter]);
  void send();
  return letter;
}

let sending = false;

/** Sends what waits, in order. Another page may do it as well: by its key, a message is said once. */
export async function send() {
  if (sending) return;
  sending = true;
  try {
    for (let letter = waiting()[0]; letter; letter = waiting()[0]) {
      const { key, chat, text } = letter;
      const done = () => store(waiting().filter((it) => it.key !== key));
      try {
        const { addMessage } = await ask(AddMessage, { chatId: chat, text, key }, { signal: AbortSignal.timeout(PATIENCE) });
        done();
        tell({ key, message: addMessage });
        said({ chat, message: addMessage });
        pages.postMessage({ chat, key, message: addMessage });
      } catch (error) {
        if (!(error instanceof Refusal)) return void setTimeout(() => void send(), PAUSE);
        if (NOT_YET.has(error.code)) return void setTimeout(() => void send(), LONG_PAUSE);
        // Trying again would not help.
        done();
        const refused = { key, chat, text, problem: `The message was not sent. ${inWords(error)}` };
        if (ours.has(key)) giveBack(refused);
        else {
          untaken.set(key, setTimeout(() => giveBack(refused), TAKE));
          pages.postMessage({ refused });
        }
      }
    }
  } finally {
    sending = false;
  }
}

/** A refused message comes back to its box. @param {{ key: string, chat: number, text: string, problem: string }} refused */
function giveBack({ key, chat, text, problem }) {
  putBack(`chat-${chat}`, text);
  if (!tell({ key, problem })) toast({ text: problem, title: "", href: `/chats/${chat}` });
}

/** Another page refused a message's way, or took it back. @param {{ refused?: Parameters<typeof giveBack>[0], taken?: string }} news */
function shared({ refused, taken }) {
  if (taken !== undefined) clearTimeout(untaken.get(taken));
  if (refused === undefined) return;
  if (!ours.has(refused.key)) return void tell({ key: refused.key });
  pages.postMessage({ taken: refused.key });
  giveBack(refused);
}

export function startSending() {
  live.addEventListener("resumed", () => void send());
  addEventListener("online", () => void send());
  pages.addEventListener("message", ({ data }) => {
    const { chat, key, message } = data;
    if (message === undefined) return shared(data);
    tell({ key, message });
    said({ chat, message });
  });
  void send();
}
