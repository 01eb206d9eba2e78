// What the browser's tests share: a server of their own, and pages of the browser that is installed.

import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { mkdtemp, mkdir, rm } from "node:fs/promises";
import { createRequire } from "node:module";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";

const { TEST_BROWSER = "", TEST_CHROMIUM = "/usr/bin/chromium", TEST_SCREENSHOTS = "" } = process.env;
const PROGRAM = resolve(process.env.TEST_GRAPHBOOK ?? "target/debug/graphbook");

/** Of the folder that dev/test fetched: playwright-core, axe-core, lighthouse. */
export const fetched = createRequire(`${TEST_BROWSER}/`);
const { chromium } = fetched("playwright-core");

export const ADA = { email: "ada@graphbook.example", password: "graphbook-demo" };

/** Graphbook with its demo data, in a folder of its own. */
export class Server {
  static async freePort() {
    const server = createServer().listen(0, "127.0.0.1");
    await new Promise((resolve) => server.once("listening", resolve));
    const { port } = /** @type {import("node:net").AddressInfo} */ (server.address());
    await new Promise((resolve) => server.close(resolve));
    return port;
  }

  static async start() {
    const server = new Server();
    server.folder = await mkdtemp(join(tmpdir(), "graphbook-browser-"));
    server.port = await Server.freePort();
    server.url = `http://127.0.0.1:${server.port}`;
    await server.run();
    return server;
  }

  /** Begins to serve, again after `kill`. */
  async run() {
    const env = { PATH: process.env.PATH, GRAPHBOOK_LISTEN: `127.0.0.1:${this.port}`, GRAPHBOOK_DATA_DIR: join(this.folder, "data") };
    this.child = spawn(PROGRAM, [], { env, cwd: this.folder, stdio: ["ignore", "ignore", "pipe"] });
    this.log = "";
    this.child.stderr.on("data", (text) => (this.log += text));
    this.child.on("error", (error) => (this.log += `${PROGRAM}: ${error.message}`));
    for (let tries = 0; ; tries += 1) {
      const answer = await fetch(`${this.url}/readyz`).catch(() => null);
      if (answer?.ok) return;
      if (tries > 200 || this.child.exitCode !== null || this.child.pid === undefined) throw new Error(`the server does not start:\n${this.log}`);
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }

  /** Ends it as a crash does. */
  async kill() {
    const ended = new Promise((resolve) => this.child.once("exit", resolve));
    this.child.kill("SIGKILL");
    await ended;
  }

  async end() {
    await this.kill();
    await rm(this.folder, { recursive: true, force: true });
  }

  /** Asks the API as somebody, without a browser. */
  async api(token, query, variables = {}) {
    const headers = { "content-type": "application/json", ...(token ? { authorization: token } : {}) };
    const answer = await fetch(`${this.url}/graphql`, { method: "POST", headers, body: JSON.stringify({ query, variables }) });
    const { data, errors } = await answer.json();
    if (errors) throw new Error(errors[0].message);
    return data;
  }

  async token({ email, password } = ADA) {
    const query = "mutation ($email: String!, $password: String!) { login(email: $email, password: $password) { token } }";
    return (await this.api(null, query, { email, password })).login.token;
  }

  /** Makes an account; gives its token, id and name. */
  async person(username) {
    const query = "mutation ($u: String!, $e: String!, $p: String!) { signup(username: $u, email: $e, password: $p) { token } }";
    const credentials = { email: `${username}@graphbook.example`, password: "a good password" };
    const { signup } = await this.api(null, query, { u: username, e: credentials.email, p: credentials.password });
    const { currentUser } = await this.api(signup.token, "{ currentUser { id } }");
    return { ...credentials, username, token: signup.token, id: currentUser.id };
  }

  /** Two people with a chat. */
  async two() {
    this.pairs = (this.pairs ?? 0) + 1;
    const [ann, bob] = [await this.person(`ann${this.pairs}`), await this.person(`bob${this.pairs}`)];
    return { ann, bob, chat: await this.chat(ann, bob) };
  }

  async chat(one, other) {
    const query = "mutation ($u: [Int]) { addChat(chat: { users: $u }) { id } }";
    return (await this.api(one.token, query, { u: [other.id] })).addChat.id;
  }

  write(who, text) {
    return this.api(who.token, "mutation ($t: String!) { addPost(post: { text: $t }) { id } }", { t: text });
  }

  tell(who, chat, text) {
    const query = "mutation ($c: Int!, $t: String!) { addMessage(message: { chatId: $c, text: $t }) { id } }";
    return this.api(who.token, query, { c: chat, t: text });
  }
}

/** The browser; nothing of it asks anything outside. */
export function launch(more = []) {
  return chromium.launch({
    executablePath: TEST_CHROMIUM,
    args: ["--no-sandbox", "--disable-background-networking", "--disable-component-update", "--no-first-run", ...more],
  });
}

export const WIDE = { width: 1360, height: 860 };
/** Where chats are over the page. */
export const MIDDLE = { width: 1000, height: 700 };
/** As a page is that is enlarged four times (WCAG 2.2, 1.4.10). */
export const NARROW = { width: 320, height: 480 };
export const PHONE = { width: 390, height: 844 };

/** A page of somebody who is signed in, or of nobody; what the page complains about is kept. */
export async function visit(browser, server, { as, path = "/app", size = WIDE, ...options } = {}) {
  const context = await browser.newContext({ baseURL: server.url, viewport: size, reducedMotion: "reduce", ...options });
  if (as) {
    const value = as.token ?? (await server.token(as));
    await context.addCookies([{ name: "authorization", value, url: server.url, httpOnly: true, sameSite: "Strict" }]);
  }
  const page = await context.newPage();
  const complaints = [];
  page.on("pageerror", (error) => complaints.push(String(error)));
  page.on("console", (message) => message.type() === "error" && complaints.push(message.text()));
  page.complaints = complaints;
  await page.goto(path);
  return page;
}

/** What an open chat shows as said. */
export const messages = (page) => page.locator("gb-chat .message:not(.pending) p").allTextContents();

/** Says something in the open chat. */
export async function say(page, text) {
  await page.getByPlaceholder("Message").fill(text);
  await page.keyboard.press("Enter");
}

/** Keeps a picture for people to look at, where CI keeps them. */
export async function picture(page, name) {
  if (TEST_SCREENSHOTS === "") return;
  await mkdir(TEST_SCREENSHOTS, { recursive: true });
  await page.screenshot({ path: join(TEST_SCREENSHOTS, `${name}.png`) });
}

/** What axe finds on a page: kinds and places. */
export async function faults(page) {
  await page.evaluate(readFileSync(fetched.resolve("axe-core/axe.min.js"), "utf8"));
  const { violations } = await page.evaluate(() => axe.run());
  return violations.map(({ id, nodes }) => `${id}: ${nodes.map((node) => node.target).join(", ")}`);
}
