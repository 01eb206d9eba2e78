// @ts-check
// What our elements have in common. They have no shadow: labels, forms and styles work as everywhere.

/** An element whose listeners end when it leaves the page. */
export class Element extends HTMLElement {
  #ends = new AbortController();

  /** Ends with the element's time on the page. */
  get signal() {
    return this.#ends.signal;
  }

  connectedCallback() {
    this.#ends = new AbortController();
    this.start();
  }

  disconnectedCallback() {
    this.#ends.abort();
  }

  /** Begins; what the server made of it is there. */
  start() {}

  /**
   * The one element in it that a selector finds.
   * @template {HTMLElement} [T=HTMLElement]
   * @param {string} selector
   * @returns {T}
   */
  the(selector) {
    const found = this.querySelector(selector);
    if (!found) throw new Error(`<${this.localName}> has no ${selector}`);
    return /** @type {T} */ (found);
  }

  /**
   * @template {keyof HTMLElementEventMap} Name
   * @param {Name} name
   * @param {(event: HTMLElementEventMap[Name]) => void} heard
   * @param {EventTarget} [target]
   */
  on(name, heard, target = this) {
    target.addEventListener(name, /** @type {EventListener} */ (heard), { signal: this.signal });
  }

  /**
   * Hears of clicks on buttons by what they do (`data-do`).
   * @param {{ [action: string]: (button: HTMLElement, event: MouseEvent) => void }} actions
   */
  does(actions) {
    this.on("click", (event) => {
      const button = event.target instanceof window.Element ? event.target.closest("[data-do]") : null;
      if (button instanceof HTMLElement && this.contains(button)) actions[button.dataset.do ?? ""]?.(button, event);
    });
  }

  /** Does one thing at a time; a button that is busy keeps the focus. @param {HTMLElement} button @param {() => Promise<unknown>} act */
  async busy(button, act) {
    if (button.ariaDisabled === "true") return;
    button.ariaDisabled = "true";
    try {
      await act();
    } finally {
      button.ariaDisabled = null;
    }
  }

  /** Says what went wrong, beside what caused it. @param {unknown} [error] */
  problem(error) {
    const place = this.querySelector(".problem");
    if (place) place.textContent = error === undefined ? "" : inWords(error);
  }
}

/** @param {unknown} error */
export function inWords(error) {
  if (error instanceof Error) return error.message;
  return String(error);
}

/** Whether a key is for a word that is being composed; Safari says so by its code only. @param {KeyboardEvent} event */
export function isComposing(event) {
  return event.isComposing || event.keyCode === 229;
}

/** Sends a form with Enter, and lets Shift+Enter begin a line. @param {HTMLTextAreaElement} area @param {AbortSignal} signal */
export function sendWithEnter(area, signal) {
  area.addEventListener(
    "keydown",
    (event) => {
      if (event.key !== "Enter" || event.shiftKey || isComposing(event) || matchMedia("(pointer: coarse)").matches) return;
      event.preventDefault();
      area.form?.requestSubmit();
    },
    { signal },
  );
}
