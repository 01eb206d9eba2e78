// @ts-check
// The graphql-transport-ws protocol (github.com/enisdenjo/graphql-ws, PROTOCOL.md): one socket, opened
// again with growing pauses for as long as the page is there.

const FIRST_PAUSE = 500;
const LONGEST_PAUSE = 15_000;
/** The server sends signs of life every 20 seconds. */
const SILENCE = 45_000;
const FIRST = "first";
/** Closed because of who asks: asking again would not help. */
const NOT_ALLOWED = new Set([4401, 4403]);

/** Tells `open` (with `detail.again` after a loss), `lost` and `denied`. */
export class Socket extends EventTarget {
  /** @type {WebSocket | null} */
  #socket = null;
  /** @type {{ document: string, heard: (data: any) => void }[]} */
  #subscriptions = [];
  /** @type {{ document: string, answered: (data: any) => void } | null} */
  #first = null;
  #pause = FIRST_PAUSE;
  #wasOpen = false;
  /** @type {number | undefined} */
  #timer;

  /** @param {string} address */
  constructor(address) {
    super();
    this.address = address;
    addEventListener("online", () => this.#soon(0));
    addEventListener("offline", () => this.#socket?.close());
    document.addEventListener("visibilitychange", () => {
      if (!document.hidden && !this.#socket) this.#soon(0);
    });
  }

  /** @param {string} document @param {(data: any) => void} heard */
  subscribe(document, heard) {
    this.#subscriptions.push({ document, heard });
  }

  /** Asks once, as soon as it is open for the first time. @param {string} document @param {(data: any) => void} answered */
  askFirst(document, answered) {
    this.#first = { document, answered };
  }

  open() {
    if (this.#socket) return;
    const socket = new WebSocket(this.address, "graphql-transport-ws");
    this.#socket = socket;
    this.#listen(SILENCE);
    /** @param {object} message */
    const send = (message) => socket.send(JSON.stringify(message));
    socket.addEventListener("open", () => send({ type: "connection_init" }));
    socket.addEventListener("message", (event) => {
      this.#listen(SILENCE);
      const message = JSON.parse(event.data);
      if (message.type === "connection_ack") {
        this.#subscriptions.forEach(({ document }, id) => send({ id: String(id), type: "subscribe", payload: { query: document } }));
        // After the subscriptions, so that nothing falls between.
        if (this.#first && !this.#wasOpen) send({ id: FIRST, type: "subscribe", payload: { query: this.#first.document } });
        this.#pause = FIRST_PAUSE;
        this.dispatchEvent(new CustomEvent("open", { detail: { again: this.#wasOpen } }));
        this.#wasOpen = true;
      } else if (message.type === "ping") send({ type: "pong" });
      else if (message.type === "next" && message.id === FIRST) this.#first?.answered(message.payload.data ?? {});
      else if (message.type === "next" && message.payload.data) this.#subscriptions[Number(message.id)]?.heard(message.payload.data);
    });
    socket.addEventListener("close", (event) => {
      if (this.#socket === socket) this.#lost(event.code);
    });
  }

  /** @param {number} code */
  #lost(code) {
    this.#socket = null;
    clearTimeout(this.#timer);
    if (NOT_ALLOWED.has(code)) {
      this.dispatchEvent(new Event("denied"));
      return;
    }
    this.dispatchEvent(new Event("lost"));
    // Not all at the same moment after a restart.
    this.#soon(this.#pause * (0.5 + Math.random()));
    this.#pause = Math.min(this.#pause * 2, LONGEST_PAUSE);
  }

  /** @param {number} pause */
  #soon(pause) {
    if (this.#socket) return;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.open(), pause);
  }

  /** @param {number} time */
  #listen(time) {
    clearTimeout(this.#timer);
    const socket = this.#socket;
    this.#timer = setTimeout(() => {
      if (this.#socket !== socket) return;
      socket?.close();
      // A connection that is gone takes long to close.
      this.#lost(0);
    }, time);
  }
}
