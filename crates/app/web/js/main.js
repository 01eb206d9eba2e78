// @ts-check
// Brings the page to life: what the server sent is taken over as it is.

import { Banner } from "./banner.js";
import { Batch } from "./batch.js";
import { ChatWindow } from "./chat.js";
import { Chats } from "./chats.js";
import { Composer } from "./composer.js";
import { Posts } from "./feed.js";
import { ago } from "./format.js";
import { listen } from "./live.js";
import { startSending } from "./outbox.js";
import { Picture } from "./picture.js";
import { route } from "./router.js";
import { SearchBox } from "./search.js";
import { Password, SignOut } from "./settings.js";
import { SignIn } from "./sign_in.js";
import { Talk } from "./talk.js";
import { Toasts } from "./toasts.js";
import { viewer } from "./viewer.js";

/** Times are told anew so often, in milliseconds. */
const MINUTE = 60_000;

const ELEMENTS = {
  "gb-toasts": Toasts,
  "gb-banner": Banner,
  "gb-sign-in": SignIn,
  "gb-search": SearchBox,
  "gb-composer": Composer,
  "gb-batch": Batch,
  "gb-feed": Posts,
  "gb-chats": Chats,
  "gb-chat": ChatWindow,
  "gb-talk": Talk,
  "gb-picture": Picture,
  "gb-password": Password,
  "gb-sign-out": SignOut,
};

route();
for (const [name, element] of Object.entries(ELEMENTS)) customElements.define(name, element);
if (viewer) {
  listen();
  startSending();
}
setInterval(() => {
  for (const time of document.querySelectorAll("time[datetime]")) time.textContent = ago(time.getAttribute("datetime") ?? "");
}, MINUTE);
