// @ts-check
// What is being written is kept in this tab: over reloads, and while one signs in again.

import { viewer } from "./viewer.js";

/** @param {string} name */
const keyOf = (name) => `draft-${viewer?.id}-${name}`;

/** Puts a text back into what is being written. @param {string} name @param {string} text */
export function putBack(name, text) {
  const now = sessionStorage.getItem(keyOf(name)) ?? "";
  sessionStorage.setItem(keyOf(name), now === "" ? text : `${text}\n${now}`);
  document.dispatchEvent(new CustomEvent("gb:draft", { detail: name }));
}

/** Keeps what is in a box, and brings back what was. @param {HTMLTextAreaElement} area @param {string} name @param {AbortSignal} signal */
export function keepDraft(area, name, signal) {
  const key = keyOf(name);
  if (area.value === "") area.value = sessionStorage.getItem(key) ?? "";
  const keep = () => (area.value === "" ? sessionStorage.removeItem(key) : sessionStorage.setItem(key, area.value));
  area.addEventListener("input", keep, { signal });
  /** @param {Event} event */
  const changed = (event) => {
    if (event instanceof CustomEvent && event.detail === name) area.value = sessionStorage.getItem(key) ?? "";
  };
  document.addEventListener("gb:draft", changed, { signal });
  return keep;
}
