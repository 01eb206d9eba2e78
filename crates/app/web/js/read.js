// @ts-check
// Up to which message somebody has read each chat, on this device.

import { viewer } from "./viewer.js";

const KEY = `read-${viewer?.id}`;
const HEARD = `heard-${viewer?.id}`;

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

/** Newer than this nobody counts. */
const MOST = 99;

/** @returns {{ [chat: string]: number[] }} */
function allHeard() {
  try {
    return JSON.parse(localStorage.getItem(HEARD) ?? "{}");
  } catch {
    return {};
  }
}

/** Somebody else wrote in a chat. @param {number} chat @param {number} message */
export function heard(chat, message) {
  const all = allHeard();
  const read = readUpTo(chat);
  const ids = new Set([...(all[chat] ?? []).filter((id) => id > read), message]);
  all[chat] = [...ids].slice(-MOST);
  localStorage.setItem(HEARD, JSON.stringify(all));
}

/** How many were heard of after a message. @param {number} chat @param {number} read */
export function heardAfter(chat, read) {
  return (allHeard()[chat] ?? []).filter((id) => id > read).length;
}

/** @param {number} chat @param {number} message */
export function hasRead(chat, message) {
  const read = all();
  if ((read[chat] ?? 0) >= message) return;
  read[chat] = message;
  localStorage.setItem(KEY, JSON.stringify(read));
  dispatchEvent(new Event("gb:read"));
}
