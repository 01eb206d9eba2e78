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
    const button = /** @type {HTMLButtonElement} */ (this.the("button"));
    this.on("submit", async (event) => {
      event.preventDefault();
      const field = (/** @type {string} */ name) => String(new FormData(form).get(name) ?? "");
      button.disabled = true;
      this.problem();
      try {
        await ask(ChangePassword, { currentPassword: field("currentPassword"), newPassword: field("newPassword") });
        form.reset();
        toast({ text: "The password is changed. Other devices are signed out." });
      } catch (error) {
        this.problem(error);
      } finally {
        button.disabled = false;
      }
    });
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
