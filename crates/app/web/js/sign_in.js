// @ts-check
// Signing in and up, in one form.

import { Login, Signup } from "./documents.js";
import { Element } from "./element.js";
import { ask } from "./graphql.js";

export class SignIn extends Element {
  start() {
    const form = /** @type {HTMLFormElement} */ (this.the("form"));
    this.does({ mode: () => this.#mode(form, form.dataset.mode === "in" ? "up" : "in") });
    this.#mode(form, "in");
    this.on("submit", (event) => {
      event.preventDefault();
      void this.busy(this.the("button.primary"), () => this.#send(form));
    });
  }

  /** @param {HTMLFormElement} form @param {"in" | "up"} mode */
  #mode(form, mode) {
    const isUp = mode === "up";
    form.dataset.mode = mode;
    this.the("h2").textContent = isUp ? "Sign up" : "Sign in";
    this.the("button.primary").textContent = isUp ? "Sign up" : "Sign in";
    this.the("[data-do='mode']").textContent = isUp ? "Sign in" : "Sign up";
    const name = /** @type {HTMLInputElement} */ (this.the("[name='username']"));
    const password = /** @type {HTMLInputElement} */ (this.the("[name='password']"));
    name.required = isUp;
    name.disabled = !isUp;
    password.autocomplete = isUp ? "new-password" : "current-password";
    this.problem();
  }

  /** @param {HTMLFormElement} form */
  async #send(form) {
    const field = (/** @type {string} */ name) => String(new FormData(form).get(name) ?? "");
    const [username, email, password] = [field("username"), field("email"), field("password")];
    this.problem();
    try {
      await (form.dataset.mode === "up" ? ask(Signup, { username, email, password }) : ask(Login, { email, password }));
      location.replace(this.dataset.next ?? "/app");
    } catch (error) {
      this.problem(error);
    }
  }
}
