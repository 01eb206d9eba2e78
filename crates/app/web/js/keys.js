// @ts-check
// Names for what is sent, so that it is done once however often it is sent.

/** Not `randomUUID`, which only pages over HTTPS have. */
export function newKey() {
  return [...crypto.getRandomValues(new Uint8Array(16))].map((it) => it.toString(16).padStart(2, "0")).join("");
}
