// @ts-check
// One's picture: chosen or dropped, moved and sized under a round hole, uploaded.

import { WHOLE, moved, square, within } from "./crop.js";
import { UploadAvatar } from "./documents.js";
import { Element } from "./element.js";
import { upload } from "./graphql.js";
import { toast } from "./toasts.js";
import { viewer } from "./viewer.js";

const SIDE = 512;
/** What is sent is small; more than this, browsers can hardly read. */
const LARGEST = 64 * 1024 * 1024;
/** Of the side, for an arrow key. */
const STEP = 0.04;

export class Picture extends Element {
  /** @type {ImageBitmap | null} */
  #image = null;
  /** @type {import("./crop.js").Cut} */
  #cut = WHOLE;

  start() {
    const [crop, input, zoom] = [this.the(".crop"), this.#file, this.#zoom];
    this.on("change", () => input.files?.[0] && void this.#choose(input.files[0]), input);
    this.on("input", () => {
      if (this.#image) this.#draw(this.#image, within(this.#image, { ...this.#cut, zoom: Number(zoom.value) }));
    }, zoom);
    this.does({ save: (button) => void this.busy(button, () => this.#save()), cancel: () => this.#end() });
    this.on("dragover", (event) => {
      event.preventDefault();
      crop.classList.add("over");
    });
    this.on("dragleave", () => crop.classList.remove("over"));
    this.on("drop", (event) => {
      event.preventDefault();
      crop.classList.remove("over");
      const file = event.dataTransfer?.files[0];
      if (file) void this.#choose(file);
    });
    this.on("pointerdown", (event) => crop.setPointerCapture(event.pointerId), crop);
    this.on("pointermove", (event) => {
      if (crop.hasPointerCapture(event.pointerId)) this.#move(-event.movementX / crop.clientWidth, -event.movementY / crop.clientHeight);
    }, crop);
    this.on("keydown", (event) => {
      const by = { ArrowLeft: [-STEP, 0], ArrowRight: [STEP, 0], ArrowUp: [0, -STEP], ArrowDown: [0, STEP] }[event.key];
      if (!by || !this.#image) return;
      event.preventDefault();
      this.#move(by[0] ?? 0, by[1] ?? 0);
    }, crop);
  }

  get #file() {
    return /** @type {HTMLInputElement} */ (this.the("input[type='file']"));
  }

  get #zoom() {
    return /** @type {HTMLInputElement} */ (this.the("input[type='range']"));
  }

  get #canvas() {
    return /** @type {HTMLCanvasElement} */ (this.querySelector("canvas"));
  }

  /** @param {boolean} choosing */
  #show(choosing) {
    this.#canvas.hidden = !choosing;
    this.querySelector(".now")?.toggleAttribute("hidden", choosing);
    this.querySelectorAll(".zoom, .hint, .choice").forEach((it) => it.toggleAttribute("hidden", !choosing));
    this.the("progress").hidden = true;
    this.the(".crop").classList.toggle("choosing", choosing);
  }

  /** @param {File} file */
  async #choose(file) {
    this.problem();
    if (file.size > LARGEST) return this.problem("The picture has more than 64 MiB.");
    try {
      this.#image = await createImageBitmap(file);
    } catch {
      return this.problem("This is no picture that can be read here. PNG, JPEG, WebP and GIF can.");
    }
    this.#zoom.value = String(WHOLE.zoom);
    this.#show(true);
    this.#draw(this.#image, WHOLE);
    this.the(".crop").focus();
  }

  /** @param {number} right @param {number} down */
  #move(right, down) {
    if (this.#image) this.#draw(this.#image, moved(this.#image, this.#cut, right, down));
  }

  /** @param {ImageBitmap} image @param {import("./crop.js").Cut} cut */
  #draw(image, cut) {
    this.#cut = cut;
    const context = this.#canvas.getContext("2d");
    if (!context) return;
    const { left, top, side } = square(image, cut);
    // JPEG knows nothing that can be seen through.
    context.fillStyle = "#fff";
    context.fillRect(0, 0, SIDE, SIDE);
    context.drawImage(image, left, top, side, side, 0, 0, SIDE, SIDE);
  }

  async #save() {
    const progress = /** @type {HTMLProgressElement} */ (this.the("progress"));
    progress.hidden = false;
    this.problem();
    try {
      const blob = await new Promise((resolve) => this.#canvas.toBlob(resolve, "image/jpeg", 0.92));
      const { uploadAvatar } = await upload(UploadAvatar, blob, (part) => (progress.value = part));
      this.#everywhere(uploadAvatar.url);
      this.#end();
      toast({ text: "This is your picture now." });
    } catch (error) {
      this.problem(error);
    } finally {
      progress.hidden = true;
    }
  }

  #end() {
    this.#image?.close();
    this.#image = null;
    this.#file.value = "";
    this.problem();
    this.#show(false);
    this.#file.focus({ preventScroll: true });
  }

  /** @param {string} url */
  #everywhere(url) {
    if (viewer) viewer.avatar = url;
    for (const place of [this.the(".crop"), document.querySelector(".me .avatar")]) {
      const image = place?.querySelector("img") ?? document.createElement("img");
      Object.assign(image, { src: url, alt: "" });
      if (place === this.the(".crop")) image.className = "now";
      place?.querySelectorAll("span").forEach((it) => it.remove());
      if (!image.isConnected) place?.prepend(image);
    }
  }
}
