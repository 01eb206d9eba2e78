// What is lost on its way, connections, answers, servers, sessions: of what people write, nothing is, and nothing is said twice.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Server, faults, launch, messages, picture, say, visit } from "./support.js";

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

/** Asks what an operation asks, but later, or never. */
const hold = (page, operation, what) => page.route("**/graphql", (route) => (route.request().postData()?.includes(operation) ? what(route) : route.continue()));

test("a server that is killed in the middle of a chat loses nothing and doubles nothing", async () => {
  const { ann, bob, chat } = await server.two();
  let at = await visit(browser, server, { as: ann, path: `/chats/${chat}` });
  const other = await visit(browser, server, { as: bob, path: `/chats/${chat}` });
  await say(at, "one");
  await other.locator(".message", { hasText: "one" }).waitFor();
  await server.kill();
  await say(at, "two");
  await say(other, "three");
  await at.locator(".message.pending", { hasText: "two" }).waitFor();
  await at.getByText("No connection to Graphbook").waitFor();
  await picture(at, "no-connection");
  assert.deepEqual(await faults(at), []);
  // One waits, the other one closes the page and comes again.
  const context = at.context();
  await at.close();
  await server.run();
  at = await context.newPage();
  await at.goto(`/chats/${chat}`);
  for (const page of [at, other]) {
    for (const text of ["one", "two", "three"]) await page.locator(".message[data-id]", { hasText: text }).waitFor({ timeout: 30_000 });
    assert.deepEqual((await messages(page)).sort(), ["one", "three", "two"]);
    assert.equal(await page.locator(".message.pending").count(), 0);
    assert.equal(await page.getByText("No connection").isVisible(), false);
  }
});

test("an answer that is lost on its way doubles no message", async () => {
  const { ann, chat } = await server.two();
  const page = await visit(browser, server, { as: ann, path: `/chats/${chat}` });
  let lost = 0;
  await page.route("**/graphql", async (route) => {
    if (!route.request().postData()?.includes("AddMessage") || lost > 0) return route.continue();
    lost += 1;
    await route.fetch();
    await route.abort();
  });
  await say(page, "only once");
  await page.locator(".message[data-id]", { hasText: "only once" }).waitFor({ timeout: 20_000 });
  await page.reload();
  assert.deepEqual(await messages(page), ["only once"]);
  assert.equal(lost, 1);
});

test("an answer that is lost on its way doubles no post", async () => {
  const { ann } = await server.two();
  const page = await visit(browser, server, { as: ann });
  let lost = 0;
  await page.route("**/graphql", async (route) => {
    if (!route.request().postData()?.includes("AddPost") || lost > 0) return route.continue();
    lost += 1;
    await route.fetch();
    await route.abort();
  });
  await page.getByLabel("Write a post").fill("written once");
  await page.getByRole("button", { name: "Post", exact: true }).click();
  await page.getByText("can’t be reached").waitFor();
  await page.getByRole("button", { name: "Post", exact: true }).click();
  await page.locator(".post[data-id]", { hasText: "written once" }).waitFor();
  await page.reload();
  assert.equal(await page.locator(".post", { hasText: "written once" }).count(), 1);
});

test("what is written offline is sent when one is back", async () => {
  const { ann, bob, chat } = await server.two();
  const at = await visit(browser, server, { as: ann, path: `/chats/${chat}` });
  const other = await visit(browser, server, { as: bob, path: `/chats/${chat}` });
  await at.context().setOffline(true);
  await at.getByText("You are offline").waitFor();
  await say(at, "from the tunnel");
  await say(other, "are you there?");
  await at.locator(".message.pending", { hasText: "from the tunnel" }).waitFor();
  await at.context().setOffline(false);
  await other.locator(".message", { hasText: "from the tunnel" }).waitFor({ timeout: 30_000 });
  await at.locator(".message", { hasText: "are you there?" }).waitFor({ timeout: 30_000 });
  assert.deepEqual((await messages(at)).sort(), ["are you there?", "from the tunnel"]);
});

test("a session that ends elsewhere leads to signing in, and back to the same page", async () => {
  const { ann, chat } = await server.two();
  const page = await visit(browser, server, { as: ann, path: `/chats/${chat}` });
  await page.waitForTimeout(500);
  await server.api(ann.token, "mutation { logoutEverywhere { success } }");
  await page.waitForURL("**/?next=*", { timeout: 15_000 });
  await page.getByLabel("Email").fill(ann.email);
  await page.getByLabel("Password").fill("not this one");
  await page.getByRole("button", { name: "Sign in" }).first().click();
  await page.getByRole("alert").filter({ hasText: /\w/ }).waitFor();
  assert.equal(await page.getByLabel("Email").inputValue(), ann.email);
  await page.getByLabel("Password").fill(ann.password);
  await page.getByRole("button", { name: "Sign in" }).first().click();
  await page.waitForURL(`**/chats/${chat}`);
});

test("what one says in one tab is seen in the other, and a draft outlives the session", async () => {
  const { ann, chat } = await server.two();
  const first = await visit(browser, server, { as: ann, path: `/chats/${chat}` });
  const second = await first.context().newPage();
  await second.goto(`/chats/${chat}`);
  await second.waitForTimeout(300);
  await say(first, "from the first tab");
  await second.locator(".message.own[data-id]", { hasText: "from the first tab" }).waitFor();
  assert.deepEqual(await messages(second), ["from the first tab"]);
  await second.getByPlaceholder("Message").fill("not finished");
  await server.api(ann.token, "mutation { logoutEverywhere { success } }");
  await second.waitForURL("**/?next=*", { timeout: 15_000 });
  await second.getByLabel("Email").fill(ann.email);
  await second.getByLabel("Password").fill(ann.password);
  await second.getByRole("button", { name: "Sign in" }).first().click();
  await second.waitForURL(`**/chats/${chat}`);
  assert.equal(await second.getByPlaceholder("Message").inputValue(), "not finished");
});

test("a page of somebody who has signed out does nothing as somebody else", async () => {
  const { ann, bob, chat } = await server.two();
  const page = await visit(browser, server, { as: ann, path: `/chats/${chat}` });
  await page.context().setOffline(true);
  await say(page, "as ann alone");
  await page.locator(".message.pending").waitFor();
  await page.context().clearCookies();
  await page.context().addCookies([{ name: "authorization", value: bob.token, url: server.url, httpOnly: true, sameSite: "Strict" }]);
  await page.context().setOffline(false);
  // It is led to the page as the other one sees it, where nothing of hers is sent.
  await page.locator("body[data-viewer-username='" + bob.username + "']").waitFor({ timeout: 20_000 });
  await page.waitForTimeout(500);
  const { chat: now } = await server.api(bob.token, "query ($c: Int!) { chat(chatId: $c) { messages { text } } }", { c: chat });
  assert.deepEqual(now.messages, []);
  // As soon as she is back, it is.
  await page.context().addCookies([{ name: "authorization", value: ann.token, url: server.url, httpOnly: true, sameSite: "Strict" }]);
  await page.goto(`/chats/${chat}`);
  await page.locator(".message.own[data-id]", { hasText: "as ann alone" }).waitFor();
});

test("a message that waits outlives the end of a session and a server that fails", async () => {
  const { ann, chat } = await server.two();
  const page = await visit(browser, server, { as: ann, path: `/chats/${chat}` });
  await page.context().setOffline(true);
  await say(page, "still here");
  await page.locator(".message.pending").waitFor();
  await page.keyboard.press("Escape");
  await server.api(ann.token, "mutation { logoutEverywhere { success } }");
  await page.context().setOffline(false);
  await page.waitForURL("**/?next=*", { timeout: 20_000 });
  await page.getByLabel("Email").fill(ann.email);
  await page.getByLabel("Password").fill(ann.password);
  await page.getByRole("button", { name: "Sign in" }).first().click();
  await page.waitForURL((url) => url.pathname !== "/");
  await page.goto(`/chats/${chat}`);
  await page.locator(".message.own[data-id]", { hasText: "still here" }).waitFor();
  assert.deepEqual(await messages(page), ["still here"]);
});

test("all that was missed is fetched, however much, and older messages come once", async () => {
  const { ann, bob, chat } = await server.two();
  const send = (text) => server.tell(bob, chat, text);
  for (let at = 0; at < 40; at += 1) await send(`before ${at}`);
  const page = await visit(browser, server, { as: ann, path: `/chats/${chat}` });
  await page.locator(".message").last().waitFor();
  await page.waitForTimeout(300);
  await page.context().setOffline(true);
  await page.getByText("You are offline").waitFor();
  for (let at = 0; at < 45; at += 1) await send(`missed ${at}`);
  for (let at = 0; at < 30; at += 1) await server.write(bob, `post ${at}`);
  await page.context().setOffline(false);
  await page.locator(".message", { hasText: "missed 44" }).waitFor({ timeout: 30_000 });
  const missed = (await messages(page)).filter((text) => text.startsWith("missed"));
  assert.deepEqual(missed, Array.from({ length: 45 }, (_, at) => `missed ${at}`));
  await page.getByRole("button", { name: "30 new posts" }).waitFor();
  await page.getByRole("button", { name: "Older messages" }).dblclick();
  await page.locator(".message", { hasText: /^bob\d+before 0/ }).waitFor();
  const all = await messages(page);
  assert.equal(new Set(all).size, all.length);
  assert.equal(all.length, 85);
});

test("what happens while a page begins is not missed", async () => {
  const { ann, bob, chat } = await server.two();
  const page = await visit(browser, server, { as: ann, path: "/settings" });
  await page.route("**/js/main.js", async (route) => {
    await new Promise((resolve) => setTimeout(resolve, 1000));
    await route.continue();
  });
  await page.goto(`/chats/${chat}`, { waitUntil: "commit" });
  await page.locator(".say").waitFor();
  await server.tell(bob, chat, "early");
  await server.write(bob, "an early post");
  await page.locator(".message", { hasText: "early" }).waitFor({ timeout: 10_000 });
  await page.getByRole("button", { name: "1 new post" }).waitFor({ timeout: 10_000 });
});

test("one's own message hides no gap in what others said", async () => {
  const { ann, bob, chat } = await server.two();
  await server.tell(bob, chat, "before");
  const page = await visit(browser, server, { as: ann, path: `/chats/${chat}` });
  await page.waitForTimeout(500);
  await page.context().setOffline(true);
  await page.getByText("You are offline").waitFor();
  await say(page, "mine");
  for (let number = 0; number < 45; number += 1) await server.tell(bob, chat, `missed ${number}`);
  // Nor does one that comes while what was missed is asked for.
  await hold(page, "query Chat(", (route) => setTimeout(() => route.continue(), 1500));
  await page.context().setOffline(false);
  await page.locator("gb-banner").waitFor({ state: "hidden" });
  await server.tell(bob, chat, "live");
  await page.locator(".message", { hasText: "live" }).waitFor();
  await page.locator(".message[data-id]", { hasText: "mine" }).waitFor();
  await page.locator(".message", { hasText: "missed 0" }).waitFor();
  const [first, ...others] = await messages(page);
  assert.deepEqual([first, others.filter((text) => text.startsWith("missed")), others.slice(45).sort()],
    ["before", Array.from({ length: 45 }, (_, number) => `missed ${number}`), ["live", "mine"]]);
  await page.context().close();
});

test("one's own post hides none of others that were missed", async () => {
  const { ann, bob } = await server.two();
  const page = await visit(browser, server, { as: ann });
  await page.waitForTimeout(500);
  await server.kill();
  await page.waitForTimeout(3500);
  await server.run();
  for (const number of [1, 2, 3]) await server.write(bob, `missed ${number}`);
  await page.getByLabel("Write a post").fill("My own one");
  await page.getByRole("button", { name: "Post", exact: true }).click();
  await page.locator(".post[data-id]", { hasText: "My own one" }).waitFor();
  await page.getByRole("button", { name: "3 new posts" }).click();
  assert.deepEqual((await page.locator(".post-text").allTextContents()).slice(0, 4), ["My own one", "missed 3", "missed 2", "missed 1"]);
  await page.context().close();
});

test("a message that another page could not send comes back to where it was written", async () => {
  const { ann, chat } = await server.two();
  const at = await visit(browser, server, { as: ann, path: `/chats/${chat}` });
  await hold(at, "AddMessage", (route) => route.abort());
  const long = "m".repeat(2001);
  await say(at, long);
  await at.locator(".message.pending").waitFor();
  const other = await at.context().newPage();
  await other.goto("/app");
  await at.locator("gb-chat > .problem", { hasText: "was not sent" }).waitFor();
  assert.deepEqual([await at.getByPlaceholder("Message").inputValue(), await at.locator(".message").count()], [long, 0]);
  await other.waitForTimeout(1300);
  assert.equal(await other.locator(".toast").count(), 0, "one page tells it");

  // The page where it was written is gone: it comes back in the one that sent it.
  await say(at, long);
  await at.locator(".message.pending").waitFor();
  await at.close();
  await other.reload();
  await other.locator(".toast", { hasText: "was not sent" }).click();
  await other.waitForURL(`**/chats/${chat}`);
  await other.locator("gb-chat").waitFor();
  assert.equal(await other.getByPlaceholder("Message").inputValue(), long);
  await other.context().close();
});

test("a post is neither lost nor doubled, whatever one does before the answer", async () => {
  const { ann } = await server.two();
  const page = await visit(browser, server, { as: ann });
  const box = page.getByLabel("Write a post");
  const send = async (text) => {
    await box.fill(text);
    await page.getByRole("button", { name: "Post", exact: true }).click();
    await page.locator(".post.pending").waitFor();
  };
  // The server has it, its answer is late, and the page is loaded again.
  let late = true;
  await hold(page, "AddPost", async (route) => {
    if (!late) return route.continue();
    late = false;
    await route.fetch();
    setTimeout(() => route.abort().catch(() => {}), 8000);
  });
  await send("once only");
  await page.waitForTimeout(700);
  await page.reload();
  assert.equal(await box.inputValue(), "once only");
  await page.getByRole("button", { name: "Post", exact: true }).click();
  await page.waitForTimeout(700);
  await page.reload();
  assert.equal(await page.locator(".post", { hasText: "once only" }).count(), 1);

  // It fails while one is elsewhere, or while another box is there.
  await page.unrouteAll({ behavior: "ignoreErrors" });
  await hold(page, "AddPost", (route) => setTimeout(() => route.abort().catch(() => {}), 1200));
  await send("a long thought");
  await page.getByRole("link", { name: "Your profile" }).click();
  await page.locator(".profile h1").waitFor();
  await page.getByRole("link", { name: "Graphbook" }).click();
  await box.waitFor();
  await page.locator(".toast", { hasText: "The post was not sent" }).waitFor();
  assert.equal(await box.inputValue(), "a long thought");
  await page.context().close();
});
