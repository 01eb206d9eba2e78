// @ts-check
// The password, and the end of sessions.

import { deleteNow } from "./deletion.js";
import { ChangePassword, Logout, LogoutEverywhere } from "./documents.js";
import { Element } from "./element.js";
import { ask } from "./graphql.js";
import { leave } from "./viewer.js";
import { toast } from "./toasts.js";

export class Password extends Element {
  start() {
    const form = /** @type {HTMLFormElement} */ (this.the("form"));
    this.on("submit", (event) => {
      event.preventDefault();
      void this.busy(this.the("button"), () => this.#change(form));
    });
  }

  /** @param {HTMLFormElement} form */
  async #change(form) {
    const field = (/** @type {string} */ name) => String(new FormData(form).get(name) ?? "");
    this.problem();
    try {
      await ask(ChangePassword, { currentPassword: field("currentPassword"), newPassword: field("newPassword") });
      form.reset();
      toast({ text: "The password is changed. Other devices are signed out." });
    } catch (error) {
      this.problem(error);
    }
  }
}

export class SignOut extends Element {
  start() {
    this.does({ here: () => void this.#end(Logout), everywhere: () => void this.#end(LogoutEverywhere) });
  }

  /** @param {typeof Logout | typeof LogoutEverywhere} document */
  async #end(document) {
    this.problem();
    try {
      await deleteNow();
      leave();
      await ask(document, {});
      sessionStorage.clear();
      location.replace("/");
    } catch (error) {
      leave(false);
      this.problem(error);
    }
  }
}
