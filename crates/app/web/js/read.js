// @ts-check
// Up to which message somebody has read each chat, on this device.

import { viewer } from "./viewer.js";

const KEY = `read-${viewer?.id}`;

/** @returns {{ [chat: string]: number }} */
function all() {
  try {
    return JSON.parse(localStorage.getItem(KEY) ?? "{}");
  } catch {
    return {};
  }
}

/** On a device that knows nothing yet, all is old. @param {[chat: number, message: number][]} last */
export function begin(last) {
  if (localStorage.getItem(KEY) === null) localStorage.setItem(KEY, JSON.stringify(Object.fromEntries(last)));
}

/** @param {number} chat */
export function readUpTo(chat) {
  return all()[chat] ?? 0;
}

/** @param {number} chat @param {number} message */
export function hasRead(chat, message) {
  const read = all();
  if ((read[chat] ?? 0) >= message) return;
  read[chat] = message;
  localStorage.setItem(KEY, JSON.stringify(read));
  dispatchEvent(new Event("gb:read"));
}
