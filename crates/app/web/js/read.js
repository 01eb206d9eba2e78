// @ts-check
// What was read, told to the server and to the other pages of this browser.

import { MarkRead } from "./documents.js";
import { ask } from "./graphql.js";
import { viewer } from "./viewer.js";

const pages = new BroadcastChannel(`read-${viewer?.id}`);

/** @param {number} chat */
function tell(chat) {
  document.dispatchEvent(new CustomEvent("gb:read", { detail: chat }));
}

pages.addEventListener("message", (event) => tell(event.data));

/** Somebody has read a chat up to a message. @param {number} chat @param {number} message */
export function hasRead(chat, message) {
  tell(chat);
  pages.postMessage(chat);
  // It is said again with the next message, if this is lost.
  ask(MarkRead, { chatId: chat, messageId: message }).catch(() => {});
}
