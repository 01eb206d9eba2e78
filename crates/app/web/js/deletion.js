// @ts-check
// One's own posts are deleted after a time to think again.

import { DeletePost } from "./documents.js";
import { inWords } from "./element.js";
import { ask } from "./graphql.js";
import { toast } from "./toasts.js";

/** So long a deletion can be taken back, in seconds. */
const UNDO = 6;

/** What waits to be deleted, and what deletes it now. @type {Map<number, (keepalive?: boolean) => Promise<void>>} */
const waiting = new Map();
/** A page that is loaded again at once may be made before its last deletions. */
const KEY = "deleted";
/** @type {Set<number>} */
const deleted = new Set(JSON.parse(sessionStorage.getItem(KEY) ?? "[]"));
sessionStorage.removeItem(KEY);
addEventListener("pagehide", () => {
  if (waiting.size > 0) sessionStorage.setItem(KEY, JSON.stringify([...waiting.keys()]));
  for (const really of waiting.values()) void really(true);
});

/** Who leaves meant it: deletes now what waits to be. */
export function deleteNow() {
  return Promise.all([...waiting.values()].map((really) => really()));
}

/** @param {number} id */
export function isDeleted(id) {
  return waiting.has(id) || deleted.has(id);
}

/** For posts that come, or come back, to the page. @param {ParentNode} among */
export function hideDeleted(among) {
  for (const post of posts(among, "")) {
    const id = Number(post.dataset.id);
    post.hidden = waiting.has(id);
    if (deleted.has(id)) post.remove();
  }
}

/** Deletes the post that a button belongs to. @param {HTMLElement} button @param {MouseEvent} event */
export function deletePost(button, event) {
  const post = button.closest("article");
  if (!post) return;
  const id = Number(post.dataset.id);
  post.hidden = true;
  /** Also where somebody has gone meanwhile. */
  const all = () => [post, ...posts(document, `[data-id="${id}"]`)];
  const back = () => {
    clearTimeout(timer);
    waiting.delete(id);
    all().forEach((it) => (it.hidden = false));
  };
  const really = async (keepalive = false) => {
    clearTimeout(timer);
    try {
      await ask(DeletePost, { postId: id }, { keepalive });
      waiting.delete(id);
      deleted.add(id);
      all().forEach((it) => it.remove());
    } catch (error) {
      back();
      toast({ text: `The post was not deleted. ${inWords(error)}` });
    }
  };
  const timer = setTimeout(() => void really(), UNDO * 1000);
  waiting.set(id, really);
  const undo = () => {
    back();
    /** @type {HTMLElement | null | undefined} */ (all().find((it) => it.isConnected)?.querySelector("[data-do='delete']"))?.focus();
  };
  /** Where one goes on. @returns {HTMLElement | null | undefined} */
  const next = () => (post.nextElementSibling ?? post.previousElementSibling)?.querySelector(".name");
  // By keys, one is led to it; a mouse stays where it is.
  toast({ text: "Post deleted.", action: "Undo", act: undo, seconds: UNDO, focus: event.detail === 0, next });
}

/** @param {ParentNode} among @param {string} which @returns {NodeListOf<HTMLElement>} */
function posts(among, which) {
  return among.querySelectorAll(`.post${which}`);
}
