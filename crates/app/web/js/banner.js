// @ts-check
// Says quietly that there is no connection, when that lasts.

import { Element } from "./element.js";
import { hear } from "./live.js";

const PATIENCE = 2000;

export class Banner extends Element {
  start() {
    /** @type {number | undefined} */
    let timer;
    hear("connection", this.signal, (connected) => {
      clearTimeout(timer);
      if (connected) this.hidden = true;
      else timer = setTimeout(() => this.#say(), navigator.onLine ? PATIENCE : 0);
    });
    this.on("offline", () => this.#say(), window);
  }

  #say() {
    this.textContent = navigator.onLine
      ? "No connection to Graphbook. Trying again…"
      : "You are offline. Messages are sent when you are back.";
    this.hidden = false;
  }
}

