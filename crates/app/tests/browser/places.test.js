// Where one is: what is read and typed stays in its place, and so does the focus.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { ADA, PHONE, Server, launch, visit } from "./support.js";

/** @type {Server} */
let server;
let browser;

before(async () => {
  [server, browser] = await Promise.all([Server.start(), launch()]);
});

after(async () => {
  await browser?.close();
  await server?.end();
});

/** What has the focus, by its name or text. */
const focus = (page) => page.evaluate(() => document.activeElement?.getAttribute("aria-label") ?? document.activeElement?.textContent?.trim());
const scroll = (page, to) => page.evaluate((y) => scrollTo({ top: y, behavior: "instant" }), to);
const at = (page) => page.evaluate(() => Math.round(scrollY));

/** Scrolls down until there are so many batches. */
async function down(page, batches) {
  await page.waitForFunction((most) => {
    scrollTo({ top: document.body.scrollHeight, behavior: "instant" });
    return document.querySelectorAll("gb-batch").length >= most;
  }, batches);
}

test("a chat opens whatever numbers the messages of another one have", async () => {
  const page = await visit(browser, server, { as: ADA });
  const numbers = await server.api(await server.token(ADA), "{ chats { id messages { id } } }");
  const pairs = numbers.chats.flatMap((one) => numbers.chats.filter((other) => other !== one && one.messages.some(({ id }) => id === other.id)).map((other) => [one.id, other.id]));
  assert.ok(pairs.length > 0, "the demo data has such a pair");
  for (const id of pairs[0]) {
    await page.locator(`.chat-row[data-id="${id}"] a`).click();
    await page.locator(`gb-chat[data-id="${id}"].front`).waitFor();
  }
  await page.context().close();
});

test("looking at the chats on a phone, or at a page, leaves the feed where it was", async () => {
  const page = await visit(browser, server, { as: ADA, size: PHONE });
  await down(page, 4);
  await scroll(page, 6000);
  await page.waitForTimeout(300);
  const before = await at(page);
  const top = () => page.evaluate(() => [...document.querySelectorAll(".post")].find((it) => it.getBoundingClientRect().top > 60)?.getAttribute("data-id"));
  const first = await top();
  for (const name of ["Chats", "Settings"]) {
    await page.getByRole("link", { name }).click();
    await page.waitForURL((url) => url.pathname !== "/app");
    await page.waitForTimeout(300);
    await page.goBack();
    await page.locator("gb-composer").waitFor({ state: "attached" });
    await page.waitForTimeout(300);
    assert.deepEqual([name, Math.abs((await at(page)) - before) < 3, await top()], [name, true, first]);
  }
  await page.context().close();
});

test("what was deleted does not come back with what is far away, nor with the next page", async () => {
  const { ann } = await server.two();
  for (let some = 0; some < 120; some += 40) await Promise.all(Array.from({ length: 40 }, (_, more) => server.write(ann, `${some + more}\n`.repeat(6))));
  const page = await visit(browser, server, { as: ann });
  await down(page, 5);
  await page.waitForFunction(() => document.querySelector("gb-batch:empty") !== null);
  const far = await page.evaluate(() => /** @type {any} */ (document.querySelector("gb-batch:empty")).posts[3].id);
  await page.getByRole("link", { name: "Your profile" }).click();
  await page.locator(".profile h1").waitFor();
  const post = page.locator(`.post[data-id="${far}"]`);
  await page.waitForFunction((id) => {
    scrollTo({ top: document.body.scrollHeight, behavior: "instant" });
    return document.querySelector(`.post[data-id="${id}"]`) !== null;
  }, far);
  await post.getByRole("button", { name: "Delete" }).click();
  await page.goBack();
  await page.locator("gb-composer").waitFor({ state: "attached" });
  await page.evaluate((id) => [...document.querySelectorAll("gb-batch")].find((it) => /** @type {any} */ (it).posts.some((one) => one.id === id))?.scrollIntoView(), far);
  await post.waitFor({ state: "attached" });
  assert.equal(await post.isVisible(), false);
  await page.getByRole("button", { name: "Undo" }).click();
  assert.equal(await post.isVisible(), true, "taken back where one is");

  await scroll(page, 0);
  const newest = await page.locator(".post").first().getAttribute("data-id");
  await page.locator(".post").first().getByRole("button", { name: "Delete" }).click();
  await page.reload();
  await page.waitForTimeout(300);
  assert.equal(await page.locator(`.post[data-id="${newest}"]`).isVisible(), false, "a page that is loaded at once");
  await page.context().close();
});

test("the focus goes on from where it was", async () => {
  const { ann, bob, chat } = await server.two();
  for (let number = 0; number < 40; number += 1) await server.tell(bob, chat, `message ${number}`);
  for (const text of ["older", "one", "two"]) await server.write(ann, text);
  const page = await visit(browser, server, { as: ann });
  await page.waitForTimeout(500);
  await server.write(bob, "fresh");
  await page.getByRole("button", { name: "1 new post" }).click();
  assert.equal(await focus(page), bob.username, "the pill leads to what is new");

  await page.locator(".post", { hasText: "two" }).getByRole("button", { name: "Delete" }).press("Enter");
  assert.equal(await focus(page), "Undo");
  await page.getByRole("button", { name: "Undo" }).waitFor({ state: "detached", timeout: 9000 });
  assert.equal(await page.evaluate(() => document.activeElement?.closest(".post")?.querySelector(".post-text")?.textContent), "one");
  // A mouse is not led away: the next key is for the page.
  await page.locator(".post", { hasText: "one" }).getByRole("button", { name: "Delete" }).click();
  await page.keyboard.press("Space");
  assert.equal(await page.locator(".post", { hasText: "one" }).isVisible(), false);

  await page.locator(".chat-row a").first().click();
  await page.locator("gb-chat .message").last().waitFor();
  await page.getByRole("button", { name: "Older messages" }).press("Enter");
  await page.getByText("message 0", { exact: true }).waitFor();
  assert.equal(await page.evaluate(() => document.activeElement?.closest("gb-chat") !== null || document.activeElement === document.body), true);
  const row = page.locator(`.chat-row[data-id="${chat}"] a`);
  await row.focus();
  await server.tell(bob, chat, "once more");
  await page.locator("gb-chat .message", { hasText: "once more" }).waitFor({ state: "attached" });
  assert.equal(await page.evaluate(() => document.activeElement?.closest(".chat-row")?.getAttribute("data-id")), String(chat));

  await page.getByRole("link", { name: "Settings" }).click();
  await page.getByLabel("Current password").fill("wrong");
  await page.getByLabel("New password").fill("another password");
  await page.getByRole("button", { name: "Change the password" }).press("Enter");
  await page.locator("gb-password .problem", { hasText: /\w/ }).waitFor();
  assert.equal(await focus(page), "Change the password");
  await page.context().close();
});

test("who types is left alone by what arrives", async () => {
  const { ann } = await server.two();
  const page = await visit(browser, server, { as: ann });
  const slowly = (route) => setTimeout(() => route.continue().catch(() => {}), 900);
  await page.route("**/graphql", slowly);
  const [post, message] = ["a post while the chat is on its way", "a message while a page is on its way"];
  await page.locator(".chat-row a").first().click();
  await page.getByLabel("Write a post").click();
  await page.keyboard.type(post, { delay: 50 });
  await page.getByPlaceholder("Message").waitFor();
  assert.deepEqual([await page.getByLabel("Write a post").inputValue(), await page.getByPlaceholder("Message").inputValue()], [post, ""]);

  await page.locator(".post a.name").first().click();
  await page.getByPlaceholder("Message").click();
  await page.keyboard.type(message, { delay: 50 });
  await page.locator(".profile h1").waitFor();
  assert.equal(await page.getByPlaceholder("Message").inputValue(), message);

  // Nor by a post that is refused.
  await page.unrouteAll({ behavior: "ignoreErrors" });
  await page.getByRole("link", { name: "Graphbook" }).click();
  await page.locator("gb-composer").waitFor();
  await page.route("**/graphql", (route) => setTimeout(() => route.abort().catch(() => {}), 900));
  await page.getByPlaceholder("Message").fill("");
  await page.getByRole("button", { name: "Post", exact: true }).click();
  await page.getByPlaceholder("Message").click();
  await page.keyboard.type(message, { delay: 50 });
  await page.locator("gb-composer .problem", { hasText: /\w/ }).waitFor();
  assert.deepEqual([await page.getByLabel("Write a post").inputValue(), await page.getByPlaceholder("Message").inputValue()], [post, message]);
  await page.context().close();
});

test("a chat stays at its end, or where one reads", async () => {
  const { ann, bob, chat } = await server.two();
  for (let number = 0; number < 25; number += 1) await server.tell(bob, chat, `message ${number}`);
  const page = await visit(browser, server, { as: ann, path: `/chats/${chat}`, size: PHONE });
  const last = (text) => page.locator("gb-chat .message", { hasText: text }).last();
  const seen = (text) => last(text).evaluate((it) => it.getBoundingClientRect().bottom <= document.querySelector(".messages").getBoundingClientRect().bottom + 1);
  const unread = async () => (await server.api(ann.token, "{ chats { unread } }")).chats[0].unread;
  await page.waitForTimeout(500);
  await page.setViewportSize({ width: 390, height: 500 });
  await page.waitForTimeout(300);
  assert.ok(await seen("message 24"), "with a keyboard");
  await page.getByPlaceholder("Message").fill("one\ntwo\nthree\nfour");
  await page.waitForTimeout(300);
  assert.ok(await seen("message 24"), "beside a long text");
  await server.tell(bob, chat, "new");
  await last("new").waitFor();
  await page.waitForTimeout(300);
  assert.deepEqual([await seen("new"), await unread()], [true, 0]);

  await page.evaluate(() => (document.querySelector(".messages").scrollTop = 0));
  await page.waitForTimeout(300);
  await server.tell(bob, chat, "unseen");
  await last("unseen").waitFor({ state: "attached" });
  await page.waitForTimeout(300);
  assert.deepEqual([await seen("unseen"), await unread()], [false, 1], "who reads above has not read it");
  await page.evaluate(() => (document.querySelector(".messages").scrollTop = 1e6));
  await page.waitForTimeout(500);
  assert.equal(await unread(), 0);
  // The row of the chat that is open leads to it, and nowhere else.
  await page.setViewportSize({ width: 1360, height: 860 });
  await scroll(page, 900);
  await page.locator(".chat-row a").first().click();
  assert.equal(await at(page), 900);
  assert.equal(await page.evaluate(() => document.activeElement?.getAttribute("name")), "text");
  await page.context().close();
});

test("new posts are shown where they belong, and Undo is not pushed away by what comes", async () => {
  const { ann, bob } = await server.two();
  const page = await visit(browser, server, { as: ann });
  await page.waitForTimeout(500);
  await server.write(bob, "first");
  await server.write(bob, "second");
  await page.getByRole("button", { name: "2 new posts" }).waitFor();
  await page.getByLabel("Write a post").fill("own, the newest");
  await page.getByRole("button", { name: "Post", exact: true }).click();
  await page.locator(".post[data-id]", { hasText: "own, the newest" }).waitFor();
  await page.getByRole("button", { name: "2 new posts" }).click();
  const texts = await page.locator(".post-text").allTextContents();
  assert.deepEqual(texts.slice(0, 3), ["own, the newest", "second", "first"]);

  await page.locator(".post", { hasText: "own" }).getByRole("button", { name: "Delete" }).click();
  for (let person = 0; person < 4; person += 1) {
    const other = await server.person(`other${person}`);
    await server.tell(other, await server.chat(ann, other), "hello");
  }
  await page.locator(".toast", { hasText: "other3" }).waitFor();
  await page.getByRole("button", { name: "Undo" }).click();
  assert.ok(await page.locator(".post", { hasText: "own" }).isVisible());
  await page.context().close();
});

test("one chat at a time where there is room for one, however little", async () => {
  const { ann, bob, chat } = await server.two();
  await server.tell(bob, chat, "hello");
  const page = await visit(browser, server, { as: ADA });
  await page.locator(".chat-row a").nth(0).click();
  await page.locator("gb-chat").waitFor();
  await page.locator(".chat-row a").nth(1).click();
  await page.locator("gb-chat").nth(1).waitFor();
  await page.setViewportSize({ width: 680, height: 430 });
  assert.deepEqual(await page.locator("gb-chat").evaluateAll((all) => all.map((it) => it.checkVisibility())), [false, true]);
  await page.context().close();

  // Enlarged four times, with a problem: all of it can be reached.
  const small = await visit(browser, server, { as: ann, path: `/chats/${chat}`, size: { width: 320, height: 256 } });
  await small.getByPlaceholder("Message").fill("m".repeat(2001));
  await small.keyboard.press("Enter");
  await small.locator("gb-chat > .problem", { hasText: /\w/ }).waitFor();
  const send = small.getByRole("button", { name: "Send" });
  await send.scrollIntoViewIfNeeded();
  const box = await send.boundingBox();
  assert.ok(box && box.y + box.height <= 256, JSON.stringify(box));
  const log = await small.locator(".messages").boundingBox();
  assert.ok(log && log.height >= 90, JSON.stringify(log));
  await small.context().close();
});

test("a key for a word that is being composed sends and closes nothing", async () => {
  const { ann, chat } = await server.two();
  const page = await visit(browser, server, { as: ann, path: `/chats/${chat}` });
  await page.getByPlaceholder("Message").fill("にほ");
  const press = (key, more) => page.getByPlaceholder("Message").evaluate((it, [name, init]) => it.dispatchEvent(new KeyboardEvent("keydown", { key: name, bubbles: true, cancelable: true, ...init })), [key, more]);
  await press("Enter", { keyCode: 229 });
  await press("Enter", { isComposing: true });
  await press("Escape", { isComposing: true });
  assert.equal(await page.getByPlaceholder("Message").inputValue(), "にほ");
  assert.equal(await page.locator(".message").count(), 0);
  await press("Enter", {});
  await page.locator(".message", { hasText: "にほ" }).waitFor();
  await page.context().close();
});

test("a chat that can't be had can be left", async () => {
  const page = await visit(browser, server, { as: ADA, path: "/chats", size: PHONE });
  await page.route("**/graphql", (route) => route.abort());
  await page.locator(".chat-row a").first().click();
  await page.locator(".window.failed").getByRole("link", { name: "All chats" }).click();
  await page.waitForURL("**/chats");
  assert.equal(await page.locator(".window").count(), 0);
  await page.context().close();
});
