// What happens between people: posts, chats, pictures.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { PHONE, Server, faults, launch, messages, picture, say, visit } from "./support.js";

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

test("a post is there at once, comes to others behind a pill, and can be deleted with time to think again", async () => {
  const { ann, bob } = await server.two();
  const [at, other] = [await visit(browser, server, { as: ann }), await visit(browser, server, { as: bob })];
  await other.waitForTimeout(300);
  const first = await other.locator(".post p").first().textContent();
  await at.getByLabel("Write a post").fill("Fresh bread. <b>Not bold</b> https://a.example/x.");
  await at.getByRole("button", { name: "Post", exact: true }).click();
  await at.locator(".post[data-id] p", { hasText: "Fresh bread" }).waitFor();
  assert.equal(await at.locator(".post p a").first().getAttribute("href"), "https://a.example/x");
  assert.equal(await at.locator(".post p b").count(), 0);
  assert.equal(await at.getByLabel("Write a post").inputValue(), "");
  assert.equal(await at.locator("[data-do='show']").isVisible(), false, "one's own needs no pill");

  await other.getByRole("button", { name: "1 new post" }).waitFor();
  assert.equal(await other.locator(".post p").first().textContent(), first, "what is read stays where it is");
  await picture(other, "new-post");
  assert.deepEqual(await faults(other), []);
  await other.getByRole("button", { name: "1 new post" }).click();
  assert.match(await other.locator(".post p").first().textContent(), /^Fresh bread/);
  assert.equal(await other.locator(".post").first().getByRole("button").count(), 0, "others' posts can't be deleted");

  const own = at.locator(".post", { hasText: "Fresh bread" });
  await own.getByRole("button", { name: "Delete" }).click();
  assert.equal(await own.isVisible(), false);
  await at.getByRole("button", { name: "Undo" }).click();
  assert.equal(await own.isVisible(), true);
  await own.getByRole("button", { name: "Delete" }).click();
  await at.goto("/settings");
  await at.waitForTimeout(500);
  await at.goto("/app");
  assert.equal(await at.locator(".post", { hasText: "Fresh bread" }).count(), 0, "who leaves meant it");
  assert.deepEqual([...at.complaints, ...other.complaints], []);
});

test("a post that the server does not take comes back, and nothing typed is lost", async () => {
  const { ann } = await server.two();
  const page = await visit(browser, server, { as: ann });
  await page.route("**/graphql", (route) => route.abort());
  await page.getByLabel("Write a post").fill("Nobody hears this");
  await page.getByRole("button", { name: "Post", exact: true }).click();
  await page.getByText("can’t be reached").waitFor();
  assert.equal(await page.getByLabel("Write a post").inputValue(), "Nobody hears this");
  assert.equal(await page.locator(".post.pending").count(), 0);
  await page.reload();
  assert.equal(await page.getByLabel("Write a post").inputValue(), "Nobody hears this");
});

test("what is too long is said to be, and stays where it was written", async () => {
  const { ann, chat } = await server.two();
  const page = await visit(browser, server, { as: ann, path: `/chats/${chat}` });
  const [post, message] = ["p".repeat(10_001), "m".repeat(2_001)];
  await page.getByLabel("Write a post").fill(post);
  await page.getByRole("button", { name: "Post", exact: true }).click();
  await page.locator("gb-composer .problem").filter({ hasText: /\w/ }).waitFor();
  assert.equal(await page.getByLabel("Write a post").inputValue(), post);
  await say(page, message);
  const problem = page.locator("gb-chat .problem", { hasText: "The message was not sent" });
  await problem.waitFor();
  assert.equal(await page.locator(".toast").count(), 0, "it stands beside the message");
  await picture(page, "message-refused");
  const right = async (found) => found.evaluate((it) => it.getBoundingClientRect().right);
  assert.ok((await right(page.getByRole("button", { name: "Send" }))) < (await right(page.locator("gb-chat"))), "no text pushes Send away");
  assert.deepEqual(await faults(page), []);
  assert.equal(await page.getByPlaceholder("Message").inputValue(), message);
  assert.equal(await page.locator(".message").count(), 0);
  await say(page, "shorter");
  await page.locator(".message[data-id]", { hasText: "shorter" }).waitFor();
  assert.equal(await problem.count(), 0);

  // Who has gone elsewhere meanwhile is led back.
  await page.route("**/graphql", (route) => setTimeout(() => route.continue(), 500));
  await say(page, message);
  await page.getByPlaceholder("Message").press("Escape");
  await page.locator(".toast", { hasText: "The message was not sent" }).click();
  await page.waitForURL(`**/chats/${chat}`);
  await page.locator("gb-chat .message").waitFor();
  assert.equal(await page.getByPlaceholder("Message").inputValue(), message);
  assert.deepEqual(page.complaints, []);
});

test("waiting is shown after a moment, and moves nothing", async () => {
  const { ann, chat } = await server.two();
  for (let at = 0; at < 40; at += 1) await server.tell(ann, chat, `message ${at}`);
  const page = await visit(browser, server, { as: ann, path: `/chats/${chat}` });
  let pause = 50;
  await page.route("**/graphql", (route) => setTimeout(() => route.continue(), pause));
  const bones = page.locator(".skeleton");
  const first = page.locator("gb-chat .message").first();
  const top = async () => (await page.getByText("message 10", { exact: true }).boundingBox())?.y;
  await first.scrollIntoViewIfNeeded();
  pause = 1200;
  const before = await top();
  await page.getByRole("button", { name: "Older messages" }).click();
  assert.equal(await bones.count(), 0, "not at once");
  await bones.waitFor();
  assert.equal(await top(), before);
  await page.getByText("message 0", { exact: true }).waitFor();
  assert.equal(await bones.count(), 0);
  const after = await top();
  assert.ok(before !== undefined && after !== undefined && Math.abs(after - before) < 2, `${before} ${after}`);

  // What can't be had is said there, and can be asked for again.
  await page.goto("/app");
  await page.unrouteAll();
  await page.route("**/graphql", (route) => setTimeout(() => route.abort(), pause));
  await page.evaluate(() => scrollTo(0, document.body.scrollHeight));
  await page.locator("gb-feed .skeleton").waitFor();
  await page.locator("gb-feed .problem", { hasText: "can’t be reached" }).waitFor();
  assert.equal(await bones.count(), 0);
  const posts = await page.locator(".post").count();
  await page.unrouteAll();
  await page.getByRole("button", { name: "Show more posts" }).click();
  await page.locator(".post").nth(posts).waitFor();
  assert.equal(await page.locator("gb-feed .problem").innerText(), "");
});

test("two people chat", async () => {
  const { ann, bob, chat } = await server.two();
  const at = await visit(browser, server, { as: ann, path: `/chats/${chat}` });
  const other = await visit(browser, server, { as: bob });
  await other.waitForTimeout(300);
  await say(at, "hello <i>you</i>");
  await other.locator(".toast", { hasText: "hello" }).waitFor();
  await other.locator(".chat-row.unread .count", { hasText: "1" }).waitFor();
  await picture(other, "toast");
  assert.deepEqual(await faults(other), []);
  await other.locator(".toast a").click();
  await other.waitForURL(`**/chats/${chat}`);
  await other.locator("gb-chat .message", { hasText: "hello <i>you</i>" }).waitFor();
  assert.equal(await other.locator(".chat-row.unread").count(), 0);
  await say(other, "hello back");
  await at.locator(".message:not(.own)", { hasText: "hello back" }).waitFor();
  assert.equal(await at.locator(".message.own").count(), 1);
  assert.deepEqual(await messages(at), ["hello <i>you</i>", "hello back"]);
  assert.deepEqual(await messages(other), ["hello <i>you</i>", "hello back"]);
  await picture(at, "two-people");
  assert.deepEqual([...at.complaints, ...other.complaints], []);
});

test("a chat is started from a search, by keys alone", async () => {
  const { ann } = await server.two();
  const carol = await server.person("carol");
  const page = await visit(browser, server, { as: ann });
  await page.keyboard.press("Tab");
  await page.keyboard.press("Tab");
  await page.keyboard.press("Tab");
  assert.equal(await page.evaluate(() => document.activeElement?.id), "search");
  await page.keyboard.type(carol.username);
  await page.getByRole("option", { name: carol.username }).waitFor();
  await page.keyboard.press("ArrowDown");
  assert.equal(await page.getByRole("option", { name: carol.username }).getAttribute("aria-selected"), "true");
  await page.keyboard.press("Enter");
  await page.waitForURL(`**/user/${carol.username}`);
  await page.getByRole("button", { name: "Write a message" }).focus();
  await page.keyboard.press("Enter");
  await page.waitForURL("**/chats/*");
  await page.getByRole("region", { name: `Chat with ${carol.username}` }).waitFor();
  await page.keyboard.type("hi");
  await page.keyboard.press("Enter");
  await page.locator(".message.own[data-id]", { hasText: "hi" }).waitFor();
  await page.locator(".chat-row", { hasText: carol.username }).waitFor();
  await page.keyboard.press("Escape");
  assert.equal(await page.locator("gb-chat").count(), 0);
  assert.deepEqual(page.complaints, []);
});

test("a chat is started where chats are", async () => {
  const { ann } = await server.two();
  const dave = await server.person("dave");
  const page = await visit(browser, server, { as: ann });
  await page.getByRole("button", { name: "Start a chat" }).click();
  await page.keyboard.type(dave.username);
  // Also before anybody is found.
  await page.keyboard.press("Enter");
  await page.getByRole("region", { name: `Chat with ${dave.username}` }).waitFor();
  await page.waitForURL("**/chats/*");
  assert.equal(await page.getByRole("combobox").getAttribute("placeholder"), "Search people");
  assert.deepEqual(page.complaints, []);
});

test("what is unread is counted, also over reloads and on other devices, until it is read", async () => {
  const { ann, bob, chat } = await server.two();
  const send = (text) => server.tell(bob, chat, text);
  await send("one");
  await send("two");
  const page = await visit(browser, server, { as: ann });
  const count = page.locator(".chat-row .count");
  assert.equal(await count.textContent(), "2");
  await page.waitForTimeout(300);
  await send("three");
  await page.locator(".chat-row .count", { hasText: "3" }).waitFor();
  await page.reload();
  assert.equal(await count.textContent(), "3");
  await page.locator(".chat-row a").click();
  await page.locator(".chat-row:not(.unread)").waitFor();
  const elsewhere = await visit(browser, server, { as: ann });
  assert.equal(await elsewhere.locator(".chat-row.unread").count(), 0);
  await elsewhere.waitForTimeout(500);
  await send("four");
  await elsewhere.locator(".chat-row.unread").waitFor();
  await page.locator(".message", { hasText: "four" }).waitFor();
  assert.equal(await page.locator(".chat-row.unread").count(), 0, "what is seen is read");
});

test("one signs up, has a picture, another password, and signs out", async () => {
  const page = await visit(browser, server, { path: "/" });
  await page.getByRole("button", { name: "Sign up" }).click();
  await page.getByLabel("Name").fill("dora");
  await page.getByLabel("Email").fill("dora@graphbook.example");
  await page.getByLabel("Password").fill("a good password");
  await page.getByRole("button", { name: "Sign up" }).first().click();
  await page.waitForURL("**/app");
  await page.getByRole("link", { name: "Settings" }).click();
  // A picture that the browser itself makes: half red, half blue.
  const file = Buffer.from(await page.evaluate(async () => {
    const canvas = Object.assign(document.createElement("canvas"), { width: 800, height: 400 });
    const context = canvas.getContext("2d");
    context.fillStyle = "#e03131";
    context.fillRect(0, 0, 400, 400);
    context.fillStyle = "#1971c2";
    context.fillRect(400, 0, 400, 400);
    const blob = await new Promise((resolve) => canvas.toBlob(resolve));
    return [...new Uint8Array(await blob.arrayBuffer())];
  }));
  await page.locator("input[type='file']").setInputFiles({ name: "flag.png", mimeType: "image/png", buffer: file });
  await page.getByText("Move it with the arrow keys").waitFor();
  for (let step = 0; step < 20; step += 1) await page.keyboard.press("ArrowRight");
  const colour = await page.locator("canvas").evaluate((canvas) => [...canvas.getContext("2d").getImageData(20, 256, 1, 1).data]);
  assert.ok(colour[2] > colour[0], `moved to the blue side: ${colour}`);
  await picture(page, "crop");
  assert.deepEqual(await faults(page), []);
  await page.getByRole("button", { name: "Use it" }).click();
  await page.getByText("This is your picture now").waitFor();
  await page.reload();
  assert.match(await page.locator(".me img").getAttribute("src"), /^\/uploads\//);
  await page.locator("input[type='file']").setInputFiles({ name: "no.png", mimeType: "image/png", buffer: Buffer.from("no picture") });
  await page.getByText("This is no picture").waitFor();

  await page.getByLabel("Current password").fill("wrong");
  await page.getByLabel("New password").fill("another password");
  await page.getByRole("button", { name: "Change the password" }).click();
  await page.locator("gb-password .problem").filter({ hasText: /\w/ }).waitFor();
  await page.getByLabel("Current password").fill("a good password");
  await page.getByRole("button", { name: "Change the password" }).click();
  await page.getByText("The password is changed").waitFor();
  await page.getByRole("button", { name: "Sign out", exact: true }).click();
  await page.waitForURL((url) => url.pathname === "/");
  await page.goto("/app");
  await page.waitForURL("**/?next=*");
});

test("on a phone one thing is seen at a time", async () => {
  const { ann, bob, chat } = await server.two();
  await server.tell(bob, chat, "hey");
  const page = await visit(browser, server, { as: ann, size: PHONE });
  const seen = async () => Promise.all(["main .view", ".side", ".windows"].map((it) => page.locator(it).isVisible()));
  assert.deepEqual(await seen(), [true, false, false]);
  await page.getByRole("link", { name: "Chats" }).click();
  assert.deepEqual(await seen(), [false, true, false]);
  await page.locator(".chat-row a").first().click();
  await page.locator(".message", { hasText: "hey" }).waitFor();
  assert.deepEqual(await seen(), [false, false, true]);
  const form = await page.locator(".say").boundingBox();
  assert.ok(form.y + form.height <= PHONE.height, `the form ends at ${form.y + form.height}`);
  await page.getByRole("link", { name: "All chats" }).click();
  assert.deepEqual(await seen(), [false, true, false]);
  await page.goBack();
  await page.goBack();
  await page.goBack();
  assert.deepEqual(await seen(), [true, false, false]);
  assert.equal(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), true, "nothing is wider than the phone");
});

test("whatever people write stays text", async () => {
  const { ann, bob, chat } = await server.two();
  const payloads = ["<img src=x onerror=alert(1)>", "\"><svg onload=alert(1)>", "javascript:alert(1)", "{{7*7}} ${7*7}", "</template><script>alert(1)</script>", "https://x.example/\"onmouseover=alert(1)", "&lt;b&gt; &amp;"];
  for (const text of payloads) {
    await server.write(bob, text);
    await server.tell(bob, chat, text);
  }
  const page = await visit(browser, server, { as: ann, path: `/chats/${chat}` });
  let alerted = false;
  page.on("dialog", (dialog) => ((alerted = true), dialog.dismiss()));
  const check = async () => {
    assert.deepEqual(await messages(page), payloads);
    assert.deepEqual((await page.locator(".post p").allTextContents()).slice(0, payloads.length).reverse(), payloads);
    assert.equal(await page.locator(".post p :not(a), .message p :not(a)").count(), 0);
    for (const href of await page.locator(".post p a, .message p a").evaluateAll((links) => links.map((it) => it.href))) assert.match(href, /^https:/);
  };
  await check();
  // The same when the client fills it.
  await page.goto("/settings");
  await page.getByRole("link", { name: "Graphbook" }).click();
  await page.locator(".chat-row a").first().click();
  await page.locator(".message").last().waitFor();
  await page.waitForTimeout(300);
  await check();
  // And where else a text is shown: the list of chats, a toast, what a search says.
  assert.equal(await page.locator(".chat-row .chat-last").first().textContent(), payloads.at(-1));
  await page.keyboard.press("Escape");
  await server.tell(bob, chat, payloads[0]);
  assert.ok((await page.locator(".toast").first().textContent())?.includes(payloads[0]));
  await page.getByRole("combobox").fill(payloads[0]);
  await page.getByText("There is nobody called").waitFor();
  assert.ok((await page.locator(".found-note").textContent())?.includes(payloads[0]));
  assert.equal(await page.locator("body img[src='x'], body script:not([src])").count(), 0);
  assert.equal(alerted, false);
  assert.deepEqual(page.complaints, []);
});

test("toasts are no wider than the page, and few", async () => {
  const { ann, bob, chat } = await server.two();
  const page = await visit(browser, server, { as: ann, size: { width: 320, height: 640 } });
  await page.waitForTimeout(500);
  for (let at = 0; at < 6; at += 1) await server.tell(bob, chat, "long ".repeat(200));
  await page.locator(".toast").first().waitFor();
  await page.waitForTimeout(500);
  assert.equal(await page.locator(".toast").count(), 1, "one of a chat");
  const box = await page.locator(".toast").boundingBox();
  assert.ok(box.x >= 0 && box.x + box.width <= 320, JSON.stringify(box));
});

test("undo is reached by keys, and who signs out meant what they deleted", async () => {
  const { ann } = await server.two();
  const write = (text) => server.write(ann, text);
  await write("keep this");
  await write("delete this");
  const page = await visit(browser, server, { as: ann });
  await page.locator(".post", { hasText: "keep this" }).getByRole("button", { name: "Delete" }).press("Enter");
  await page.keyboard.press("Enter");
  assert.equal(await page.locator(".post", { hasText: "keep this" }).isVisible(), true, "Undo has the focus");
  await page.locator(".post", { hasText: "delete this" }).getByRole("button", { name: "Delete" }).click();
  await page.getByRole("link", { name: "Your profile" }).click();
  await page.locator(".profile h1").waitFor();
  assert.equal(await page.locator(".post", { hasText: "delete this" }).isVisible(), false, "nor is it shown elsewhere");
  await page.getByRole("link", { name: "Settings" }).click();
  await page.getByRole("button", { name: "Sign out", exact: true }).click();
  await page.waitForURL((url) => url.pathname === "/" && url.search === "");
  const { feed } = await server.api((await server.token(ann)), "query ($u: String!) { feed(username: $u) { edges { node { text } } } }", { u: ann.username });
  assert.deepEqual(feed.edges.map(({ node }) => node.text), ["keep this"]);
});
