// @ts-check
// The button of a profile that leads to a chat with its person.

import { AddChat } from "./documents.js";
import { Element } from "./element.js";
import { ask } from "./graphql.js";
import { go } from "./router.js";

export class Talk extends Element {
  start() {
    this.on("click", (event) => {
      if (event.target instanceof HTMLButtonElement) void this.busy(event.target, () => this.#talk());
    });
  }

  async #talk() {
    this.problem();
    try {
      const { addChat } = await ask(AddChat, { users: [Number(this.dataset.userId)] });
      await go(`/chats/${addChat.id}`);
    } catch (error) {
      this.problem(error);
    }
  }
}
