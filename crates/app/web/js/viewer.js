// @ts-check
// Who is signed in, as the page says. A session is a cookie that scripts can't read.

/** @typedef {{ id: number, username: string, avatar: string | null }} Viewer */

const { viewerId, viewerUsername, viewerAvatar } = document.body.dataset;

/** @type {Viewer | null} */
export const viewer =
  viewerId === undefined ? null : { id: Number(viewerId), username: viewerUsername ?? "", avatar: viewerAvatar ?? null };

let leaving = false;

/** Whoever signs out goes where they want to go. @param {boolean} [now] */
export function leave(now = true) {
  leaving = now;
}

/** Leads to signing in, and back to this page. */
export function signInAgain() {
  if (leaving) return;
  const here = location.pathname + location.search;
  location.replace(`/?next=${encodeURIComponent(here)}`);
}
