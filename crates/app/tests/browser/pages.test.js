// Pages: what each shows, how one goes from one to the next, and that all of it can be used by everybody.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { readFileSync } from "node:fs";
import { ADA, MIDDLE, NARROW, PHONE, Server, WIDE, faults, launch, picture, visit } from "./support.js";

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

for (const colorScheme of ["light", "dark"]) {
  for (const [name, size] of Object.entries({ wide: WIDE, phone: PHONE, ...(colorScheme === "light" && { middle: MIDDLE, narrow: NARROW }) })) {
    test(`every page is for everybody: ${colorScheme}, ${name}`, async () => {
      const page = await visit(browser, server, { path: "/", size, colorScheme });
      const look = async (title) => {
        await page.waitForTimeout(250);
        await picture(page, `${title}-${name}-${colorScheme}`);
        assert.deepEqual(await faults(page), [], title);
        assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), `${title} is wider than the window`);
      };
      await look("sign-in");
      await page.getByRole("button", { name: "Sign up" }).click();
      await look("sign-up");
      await page.getByRole("button", { name: "Sign in" }).last().click();
      await page.getByLabel("Email").fill(ADA.email);
      await page.getByLabel("Password").fill(ADA.password);
      await page.getByRole("button", { name: "Sign in" }).first().click();
      await page.waitForURL("**/app");
      await look("feed");
      await page.getByRole("combobox").fill("nobody-here");
      await page.getByText("There is nobody").waitFor();
      await look("search-nobody");
      await page.getByRole("combobox").fill("kof");
      await page.getByRole("option").first().waitFor();
      await page.keyboard.press("ArrowDown");
      await look("search");
      await page.keyboard.press("Escape");
      await page.goto("/chats");
      await look("chats");
      await page.locator(".chat-row a").first().click();
      await page.waitForURL("**/chats/*");
      await look("chat");
      await page.goto("/user/bengt");
      await look("profile");
      await page.goto("/settings");
      await look("settings");
      assert.deepEqual(page.complaints, []);
      await page.goto("/nothing");
      await look("not-found");
      // And where something went wrong, or something happened.
      await page.goto("/app");
      await page.route("**/graphql", (route) => route.abort());
      await page.locator(".post a.name").first().click();
      await page.getByRole("button", { name: "Try again" }).waitFor();
      await look("trouble");
      if (size.width >= 800) {
        await page.locator(".chat-row a").first().click();
        await page.locator(".window.failed").waitFor();
        await look("chat-failed");
      }
      await page.context().close();
    });
  }
}

test("a page change is one request, and the first view none", async () => {
  const page = await visit(browser, server, { as: ADA, path: "/" });
  const asked = [];
  page.on("request", (request) => request.url().endsWith("/graphql") && request.method() === "POST" && asked.push(request.postDataJSON().operationName));
  await page.goto("/app");
  await page.waitForTimeout(500);
  assert.deepEqual(asked, []);
  await page.locator(".post a.name").first().click();
  await page.waitForURL("**/user/*");
  await page.getByRole("heading", { level: 1 }).waitFor();
  assert.deepEqual(asked, ["Profile"]);
  await page.locator(".chat-row a").first().click();
  await page.waitForURL("**/chats/*");
  await page.locator("gb-chat").waitFor();
  assert.deepEqual(asked.slice(0, 2), ["Profile", "Chat"]);
  await page.getByRole("link", { name: "Settings" }).click();
  await page.getByRole("heading", { name: "Settings" }).waitFor();
  assert.equal(asked.filter((name) => name === "Frame").length, 0);
  await page.context().close();
});

test("back and forward lead to what was there, where it was", async () => {
  const page = await visit(browser, server, { as: ADA });
  await page.evaluate(() => scrollTo(0, 1500));
  await page.waitForTimeout(300);
  const before = await page.evaluate(() => [scrollY, document.querySelectorAll(".post").length]);
  await page.locator(".post a.name").nth(12).click();
  await page.waitForURL("**/user/*");
  await page.locator(".profile h1").waitFor();
  assert.equal(await page.evaluate(() => scrollY), 0);
  assert.equal(await page.title(), `${await page.locator(".profile h1").textContent()} – Graphbook`);
  await page.goBack();
  await page.waitForURL("**/app");
  await page.locator("gb-composer").waitFor();
  const [scroll, posts] = await page.evaluate(() => [scrollY, document.querySelectorAll(".post").length]);
  assert.ok(Math.abs(scroll - before[0]) < 50 && posts >= before[1], `${before} ${scroll} ${posts}`);
  await page.goForward();
  await page.locator(".profile h1").waitFor();
  assert.deepEqual(page.complaints, []);
  await page.context().close();
});

test("a page that comes late is never taken for another one", async () => {
  const page = await visit(browser, server, { as: ADA });
  let slow = true;
  await page.route("**/graphql", async (route) => {
    if (slow) await new Promise((resolve) => setTimeout(resolve, 900));
    await route.continue().catch(() => {});
  });
  const name = await page.locator(".post a.name").first().textContent();
  await page.locator(".post a.name").first().click();
  await page.locator(".skeleton").first().waitFor();
  await page.goBack();
  await page.locator("gb-composer").waitFor();
  assert.equal(await page.title(), "Feed – Graphbook");
  await page.goForward();
  await page.locator(".profile h1", { hasText: name }).waitFor();
  slow = false;
  await page.goBack();
  await page.locator("gb-composer").waitFor();
  await page.unroute("**/graphql");
  await page.route("**/graphql", (route) => route.abort());
  await page.locator(".post a.name").nth(1).click();
  await page.getByText("can’t be reached").waitFor();
  await page.locator(".chat-row a").first().click();
  await page.locator(".window.failed").waitFor();
  await page.unroute("**/graphql");
  await page.locator(".window.failed button").click();
  await page.locator("gb-chat .message").first().waitFor();
  await page.getByRole("button", { name: "Try again" }).click();
  await page.locator(".profile h1, gb-composer").first().waitFor();
  await page.context().close();
});

test("a chat is beside what one does, and closing it leaves that alone", async () => {
  const page = await visit(browser, server, { as: ADA, path: "/settings" });
  await page.getByLabel("New password").fill("not finished");
  await page.locator(".chat-row a").first().click();
  await page.locator("gb-chat").waitFor();
  await page.keyboard.press("Escape");
  await page.waitForURL("**/settings");
  assert.equal(await page.getByLabel("New password").inputValue(), "not finished");
  assert.equal(await page.evaluate(() => document.activeElement?.closest(".chat-row") !== null), true);
  assert.deepEqual(page.complaints, []);
  await page.context().close();
});

test("no form sends what is typed in an address, also before scripts are there", async () => {
  const page = await visit(browser, server, { path: "/", javaScriptEnabled: false });
  await page.getByLabel("Email").fill("a@b.example");
  await page.getByLabel("Password").fill("secret-password");
  await page.keyboard.press("Enter");
  await page.waitForTimeout(500);
  assert.equal(new URL(page.url()).search, "");
  await page.context().close();
  const signedIn = await visit(browser, server, { as: ADA, path: "/settings", javaScriptEnabled: false });
  assert.equal(await signedIn.locator("form:not([method='post'])").count(), 0);
  await signedIn.context().close();
});

test("without JavaScript the feed is readable", async () => {
  const page = await visit(browser, server, { as: ADA, javaScriptEnabled: false });
  await picture(page, "feed-without-javascript");
  assert.ok((await page.locator(".post").count()) >= 20);
  await page.locator(".post a.name").first().click();
  assert.ok((await page.locator(".profile h1").textContent())?.length);
  await page.context().close();
});

test("the client fills parts as the server does", async () => {
  const cases = JSON.parse(readFileSync(new URL("../../web/cases.json", import.meta.url), "utf8"));
  const page = await visit(browser, server, { as: ADA });
  const base = await page.locator("script[type='module']").getAttribute("src");
  // Parts of tests can't be made of texts here: the page trusts none. They are put into the page's own.
  await page.route("**/cases", (route) => {
    const templates = cases.parts.map(({ part, item }, at) =>
      `<template id="part-case${at}">${html(part)}</template>` + (item ? `<template id="part-item${at}">${html(item)}</template>` : ""));
    route.fulfill({ contentType: "text/html", body: `<!doctype html><body>${templates.join("")}` });
  });
  await page.goto("/cases");
  const found = await page.evaluate(async ([address, parts, now]) => {
    const { part } = await import(address);
    return parts.map(({ data }, at) => {
      // Of each case, the item is its own.
      for (const it of document.querySelectorAll("template[id^='part-item']")) if (it.id !== `part-item${at}`) it.dataset.id = it.id;
      const item = document.getElementById(`part-item${at}`);
      if (item) item.id = "part-item";
      const filled = part(`case${at}`, data, Date.parse(now)).outerHTML;
      if (item) item.id = `part-item${at}`;
      return filled;
    });
  }, [base.replace("main.js", "parts.js"), cases.parts, cases.now]);
  found.forEach((text, at) => assert.equal(tidy(text), tidy(cases.parts[at].html), cases.parts[at].part));
  await page.context().close();
});

/** HTML has no empty-element tags. @param {string} xml */
function html(xml) {
  return xml.replace(/<(?!img)(\w+)((?:\s[^<>]*?)?)\/>/g, "<$1$2></$1>").replace(/(<img[^>]*?)\/>/g, "$1>");
}

/** Serialised alike. @param {string} text */
function tidy(text) {
  return text.replaceAll("&#39;", "'").replaceAll("&quot;", '"').replace(/\s+/g, " ").replace(/ ?(<p>|<\/p>) ?/g, "$1");
}
