// @ts-check
// The button of a profile that leads to a chat with its person.

import { AddChat } from "./documents.js";
import { Element } from "./element.js";
import { ask } from "./graphql.js";
import { go } from "./router.js";

export class Talk extends Element {
  start() {
    this.on("click", async (event) => {
      const button = event.target;
      if (!(button instanceof HTMLButtonElement)) return;
      button.disabled = true;
      this.problem();
      try {
        const { addChat } = await ask(AddChat, { users: [Number(this.dataset.userId)] });
        await go(`/chats/${addChat.id}`);
      } catch (error) {
        this.problem(error);
      } finally {
        button.disabled = false;
      }
    });
  }
}
