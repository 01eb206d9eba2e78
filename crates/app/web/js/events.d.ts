// Our own events, and those of the window and the document that elements hear of.

type Post = import("./documents.js").Operations["PostAdded"]["data"]["postAdded"];
type Message = import("./documents.js").Operations["AddMessage"]["data"]["addMessage"];
type NewMessage = import("./documents.js").Operations["MessageAdded"]["data"]["messageAdded"];

interface HTMLElementEventMap {
  /** One's own post, before the server has it and then as it has it. */
  "gb:posted": CustomEvent<{ pending: HTMLElement; post?: Post }>;
  /** What became of a message on its way; its default is prevented by who shows the problem. */
  "gb:sent": CustomEvent<{ key: string; message?: Message; problem?: string }>;
  /** A draft was changed by something else than typing. */
  "gb:draft": CustomEvent<string>;
  /** A message is a chat's last. */
  "gb:said": CustomEvent<{ chat: number; message: Message }>;
  /** Somebody to chat with is looked for. */
  "gb:new-chat": Event;
  /** A chat was read to its end. */
  "gb:read": CustomEvent<number>;
  offline: Event;
  storage: StorageEvent;
  visibilitychange: Event;
}
