// @ts-check
// The open chats, beside whatever one does: opened, brought to the front, and what is shown meanwhile.

import { Chat } from "./documents.js";
import { inWords } from "./element.js";
import { ask } from "./graphql.js";
import { part } from "./parts.js";

/** After so many milliseconds, waiting is shown. */
export const SKELETON = 150;

const windows = document.querySelector(".windows");

/** What the server opened is in front. */
export function showLast() {
  windows?.lastElementChild?.classList.add("front");
}

/** Something that is there while something is waited for. */
export function bones() {
  return Object.assign(document.createElement("span"), { className: "skeleton" });
}

/** Shows at a place that something is waited for, if that takes long. @param {Element} place @returns {() => void} ends it */
export function waitingIn(place) {
  const shown = bones();
  const waiting = setTimeout(() => place.append(shown), SKELETON);
  return () => {
    clearTimeout(waiting);
    shown.remove();
  };
}

/** A button that tries it once more. @param {() => void} act */
export function again(act) {
  const button = Object.assign(document.createElement("button"), { type: "button", textContent: "Try again" });
  button.addEventListener("click", act);
  return button;
}

/** Remembers what has the focus; asked later, it says whether that is still so: else somebody is busy elsewhere. */
export function sameFocus() {
  const before = document.activeElement;
  return () => document.activeElement === before || document.activeElement === document.body;
}

/** Opens a chat's window, or brings it to the front. @param {number} id */
export async function openChat(id) {
  if (!windows) return;
  const idle = sameFocus();
  const front = (/** @type {Element} */ element) => {
    windows.querySelectorAll(".front").forEach((it) => it.classList.remove("front"));
    element.classList.add("front");
    if (idle()) element.querySelector("textarea")?.focus({ preventScroll: true });
  };
  const open = windows.querySelector(`:scope > [data-id="${id}"]`);
  if (open) return front(open);
  const most = innerWidth >= 1240 ? 2 : Math.max(1, Math.floor((innerWidth - 280) / 342));
  while (windows.childElementCount >= most) windows.firstElementChild?.remove();
  const place = Object.assign(document.createElement("div"), { className: "window" });
  place.dataset.id = String(id);
  windows.append(place);
  front(place);
  const end = waitingIn(place);
  /** @param {string} words @param {HTMLElement[]} next */
  const instead = (words, ...next) => {
    const problem = Object.assign(document.createElement("p"), { className: "problem", textContent: words });
    problem.setAttribute("role", "alert");
    place.classList.add("failed");
    const back = Object.assign(document.createElement("a"), { className: "button", href: "/chats", textContent: "All chats" });
    back.addEventListener("click", () => place.remove());
    place.replaceChildren(problem, ...next, back);
  };
  try {
    const { chat } = await ask(Chat, { chatId: id });
    if (!place.isConnected) return;
    if (!chat) return instead("There is no such chat.");
    const element = part("window", chat);
    const isFront = place.classList.contains("front");
    place.replaceWith(element);
    if (isFront) front(element);
  } catch (error) {
    instead(inWords(error), again(() => {
      place.remove();
      void openChat(id);
    }));
  } finally {
    end();
  }
}
