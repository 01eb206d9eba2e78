// @ts-check
// One request to the API.

import { signInAgain, viewer } from "./viewer.js";

/** The server can't be reached, or gave no answer that can be read. */
export class Unreachable extends Error {}

/** The server says no, in words for people. */
export class Refusal extends Error {
  /** @param {string} message @param {string} code */
  constructor(message, code) {
    super(message);
    this.code = code;
  }
}

/**
 * Asks; gives the answer's data.
 * @template {keyof import("./documents.js").Operations} Name
 * @param {import("./documents.js").Document<Name>} document
 * @param {import("./documents.js").Operations[Name]["variables"]} variables
 * @param {{ signal?: AbortSignal, keepalive?: boolean }} [how]
 * @returns {Promise<import("./documents.js").Operations[Name]["data"]>}
 */
export async function ask(document, variables, how = {}) {
  const body = JSON.stringify({ query: document, operationName: nameOf(document), variables });
  return answered(() =>
    fetch("/graphql", {
      method: "POST",
      headers: { "content-type": "application/json", accept: "application/graphql-response+json", ...ours() },
      body,
      ...how,
    }).then(async (response) => ({ ok: response.status < 500, reply: await response.json() })),
  );
}

/**
 * Uploads a file with an operation, and tells how far that is. Of what is sent, only XMLHttpRequest knows.
 * @param {string} document
 * @param {Blob} file
 * @param {(part: number) => void} progress from 0 to 1
 * @returns {Promise<any>}
 */
export function upload(document, file, progress) {
  const form = new FormData();
  form.set("operations", JSON.stringify({ query: document, variables: { file: null } }));
  form.set("map", JSON.stringify({ 0: ["variables.file"] }));
  form.set("0", file, "picture");
  return answered(
    () =>
      new Promise((resolve, reject) => {
        const request = new XMLHttpRequest();
        request.open("POST", "/graphql");
        request.responseType = "json";
        for (const [name, value] of Object.entries(ours())) request.setRequestHeader(name, value);
        request.upload.addEventListener("progress", (event) => progress(event.loaded / (event.total || 1)));
        request.addEventListener("load", () => resolve({ ok: request.status < 500, reply: request.response }));
        request.addEventListener("error", () => reject(new TypeError("the connection failed")));
        request.send(form);
      }),
  );
}

/** @param {() => Promise<{ ok: boolean, reply: any }>} send */
async function answered(send) {
  let answer;
  try {
    answer = await send();
  } catch (error) {
    if (error instanceof DOMException && error.name === "AbortError") throw error;
    throw new Unreachable("Graphbook can’t be reached. Check your connection, then try again.");
  }
  const refused = answer.reply?.errors?.[0];
  if (!refused && answer.ok && answer.reply?.data) return answer.reply.data;
  if (!refused) throw new Unreachable("Graphbook is unwell. Try again in a moment.");
  const code = refused.extensions?.code ?? "";
  // Of who is not signed in, it only says that the password is wrong.
  if (code === "UNAUTHENTICATED" && viewer) signInAgain();
  if (!answer.ok) throw new Unreachable("Graphbook is unwell. Try again in a moment.");
  throw new Refusal(refused.message, code);
}

/** For whom this page was made: somebody else may have signed in since, in another tab. @returns {{ [name: string]: string }} */
function ours() {
  return viewer ? { "graphbook-viewer": String(viewer.id) } : {};
}

/** @param {string} document */
function nameOf(document) {
  return /^\s*(?:query|mutation|subscription)\s+(\w+)/.exec(document)?.[1];
}
