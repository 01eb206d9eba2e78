// @ts-check
// Who is signed in, as the page says. A session is a cookie that scripts can't read.

/** @typedef {{ id: number, username: string, avatar: string | null }} Viewer */

const { viewerId, viewerUsername, viewerAvatar } = document.body.dataset;

/** @type {Viewer | null} */
export const viewer =
  viewerId === undefined ? null : { id: Number(viewerId), username: viewerUsername ?? "", avatar: viewerAvatar ?? null };

/** Leads to signing in, and back to this page. */
export function signInAgain() {
  const here = location.pathname + location.search;
  location.replace(`/?next=${encodeURIComponent(here)}`);
}
