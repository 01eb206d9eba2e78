// @ts-check
// Short notes at the foot of the page, with something to do about them.

import { Element } from "./element.js";
import { part } from "./parts.js";

/** @typedef {{ text: string, title?: string, href?: string, action?: string, act?: () => void, seconds?: number, focus?: boolean, next?: () => HTMLElement | null | undefined }} Note */

const MOST = 3;

export class Toasts extends Element {
  /** @param {Note} note @returns {() => void} takes it away */
  show(note) {
    const toast = part("toast", note);
    const away = () => {
      clearTimeout(timer);
      const had = toast.contains(document.activeElement);
      toast.remove();
      if (had) (note.next?.() ?? document.querySelector("main"))?.focus({ preventScroll: true });
    };
    const timer = setTimeout(away, (note.seconds ?? 6) * 1000);
    toast.querySelector("button")?.addEventListener("click", () => {
      away();
      note.act?.();
    });
    toast.querySelector("a")?.addEventListener("click", away);
    // One of a kind, and no more than are read.
    if (note.href) this.querySelector(`a[href="${CSS.escape(note.href)}"]`)?.closest(".toast")?.remove();
    // What can be taken back can be so for all of its time.
    for (const old of [...this.children].filter((it) => !it.querySelector("button")).slice(0, Math.max(0, this.childElementCount - MOST + 1))) old.remove();
    // Who looks at it has time.
    if (!note.focus) toast.addEventListener("focusin", () => clearTimeout(timer));
    if (!note.focus) toast.addEventListener("pointerenter", () => clearTimeout(timer));
    this.append(toast);
    if (note.focus) toast.querySelector("button")?.focus({ preventScroll: true });
    return away;
  }
}

/** @param {Note} note @returns {() => void} takes it away */
export function toast(note) {
  const toasts = document.querySelector("gb-toasts");
  return toasts instanceof Toasts ? toasts.show(note) : () => {};
}
