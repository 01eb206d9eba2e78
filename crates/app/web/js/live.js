// @ts-check
// What happens while the page is open, told as events: `post`, `message`, `resumed` after a time without
// a connection, and `connection` with whether there is one.

import { Frame, Latest, MessageAdded, PostAdded } from "./documents.js";
import { Refusal, ask } from "./graphql.js";
import { Socket } from "./socket.js";

const PAUSE = 3000;

export const live = new EventTarget();

/** Whether there is a connection now; the first one is taken for granted. */
export let connected = true;

/** @param {string} name @param {any} [detail] */
function tell(name, detail) {
  live.dispatchEvent(new CustomEvent(name, { detail }));
}

export function listen() {
  const socket = new Socket(`${location.protocol.replace("http", "ws")}//${location.host}/graphql`);
  socket.subscribe(PostAdded, (data) => tell("post", data.postAdded));
  socket.subscribe(MessageAdded, (data) => tell("message", data.messageAdded));
  /** @param {boolean} now */
  const change = (now) => {
    connected = now;
    tell("connection", now);
  };
  socket.addEventListener("open", (event) => {
    change(true);
    if (event instanceof CustomEvent && event.detail.again) tell("resumed");
  });
  // What happened between the page's making and now; mostly nothing did.
  socket.askFirst(Latest, ({ feed, chats }) => {
    const { latestPost = 0, latestMessage = 0 } = document.body.dataset;
    const isOld = document.querySelector("gb-feed:not([data-username])") !== null && feed?.edges[0]?.node.id > Number(latestPost);
    if (isOld || chats?.[0]?.lastMessage?.id > Number(latestMessage)) tell("resumed");
  });
  socket.addEventListener("lost", () => change(false));
  socket.addEventListener("denied", () => {
    change(false);
    void again(socket);
  });
  socket.open();
}

/**
 * A session that ended may have a successor, as after a change of the password.
 * @param {Socket} socket
 */
async function again(socket) {
  try {
    await ask(Frame, {});
    socket.open();
  } catch (error) {
    if (!(error instanceof Refusal && error.code === "UNAUTHENTICATED")) setTimeout(() => void again(socket), PAUSE);
  }
}

/**
 * Hears of something for as long as an element is on the page.
 * @param {string} name
 * @param {AbortSignal} signal
 * @param {(detail: any) => void} heard
 */
export function hear(name, signal, heard) {
  live.addEventListener(name, (event) => heard(/** @type {CustomEvent} */ (event).detail), { signal });
}
