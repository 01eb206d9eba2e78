// @ts-check
// What is being written is kept in this tab: over reloads, and while one signs in again.

import { viewer } from "./viewer.js";

/** Keeps what is in a box, and brings back what was. @param {HTMLTextAreaElement} area @param {string} name @param {AbortSignal} signal */
export function keepDraft(area, name, signal) {
  const key = `draft-${viewer?.id}-${name}`;
  if (area.value === "") area.value = sessionStorage.getItem(key) ?? "";
  const keep = () => (area.value === "" ? sessionStorage.removeItem(key) : sessionStorage.setItem(key, area.value));
  area.addEventListener("input", keep, { signal });
  return keep;
}
