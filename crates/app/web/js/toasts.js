// @ts-check
// Short notes at the foot of the page, with something to do about them.

import { Element } from "./element.js";
import { part } from "./parts.js";

/** @typedef {{ text: string, title?: string, href?: string, action?: string, act?: () => void, seconds?: number }} Note */

export class Toasts extends Element {
  /** @param {Note} note @returns {() => void} takes it away */
  show(note) {
    const toast = part("toast", note);
    const away = () => {
      clearTimeout(timer);
      toast.remove();
    };
    const timer = setTimeout(away, (note.seconds ?? 6) * 1000);
    toast.querySelector("button")?.addEventListener("click", () => {
      away();
      note.act?.();
    });
    toast.querySelector("a")?.addEventListener("click", away);
    this.append(toast);
    return away;
  }
}

/** @param {Note} note @returns {() => void} takes it away */
export function toast(note) {
  const toasts = document.querySelector("gb-toasts");
  return toasts instanceof Toasts ? toasts.show(note) : () => {};
}
