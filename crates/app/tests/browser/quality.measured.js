// Bars that the client is held against: Lighthouse's, and a feed of thousands of posts.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, test } from "node:test";
import { pathToFileURL } from "node:url";
import { ADA, Server, fetched, launch, visit } from "./support.js";

/** @type {Server} */
let server;

before(async () => {
  server = await Server.start();
});

after(() => server?.end());

/** @param {number[]} numbers */
const median = (numbers) => [...numbers].sort((a, b) => a - b)[Math.floor(numbers.length / 2)];

test("Lighthouse finds signing in and the feed quick, for everybody, and well made", async (t) => {
  const { default: lighthouse } = await import(pathToFileURL(fetched.resolve("lighthouse")).href);
  const port = await Server.freePort();
  const browser = await launch([`--remote-debugging-port=${port}`]);
  t.after(() => browser.close());
  const pages = [["/", {}], ["/app", { Cookie: `authorization=${await server.token(ADA)}` }]];
  for (const [path, extraHeaders] of pages) {
    const runs = [];
    for (let run = 0; run < 3; run += 1) {
      const onlyCategories = ["performance", "accessibility", "best-practices"];
      const { lhr } = await lighthouse(server.url + path, { port, extraHeaders, onlyCategories, logLevel: "error" });
      runs.push(Object.values(lhr.categories).map(({ score }) => Math.round(score * 100)));
    }
    const [quick, forAll, well] = [0, 1, 2].map((at) => median(runs.map((run) => run[at])));
    t.diagnostic(`${path}: performance ${quick}, accessibility ${forAll}, best practices ${well}`);
    assert.ok(quick >= 95 && forAll === 100 && well === 100, `${path}: ${JSON.stringify(runs)}`);
  }
});

test("thousands of posts are scrolled through as a few are", async (t) => {
  const ann = await server.person("ann");
  for (let at = 0; at < 2000; at += 50) {
    const some = Array.from({ length: 50 }, (_, more) => `Post ${at + more}: words as people write them, and some more of them.`);
    await Promise.all(some.map((text) => server.write(ann, text)));
  }
  const browser = await launch();
  t.after(() => browser.close());
  const page = await visit(browser, server, { as: ann, path: "/user/ann" });
  const session = await page.context().newCDPSession(page);
  await session.send("Performance.enable");
  /** Of what shows pages, in MB, and of this page's scripts. */
  const memory = async () => {
    await session.send("HeapProfiler.collectGarbage");
    const { metrics } = await session.send("Performance.getMetrics");
    const { processInfo } = await (await browser.newBrowserCDPSession()).send("SystemInfo.getProcessInfo");
    const sizes = processInfo.filter(({ type }) => type === "renderer").map(({ id }) => {
      const size = /RssAnon:\s*(\d+) kB/.exec(readFileSync(`/proc/${id}/status`, "utf8"))?.[1];
      return Number(size) / 1000;
    });
    return { all: sizes.reduce((sum, size) => sum + size, 0), scripts: metrics.find(({ name }) => name === "JSHeapUsedSize").value / 1e6 };
  };
  /** The longest that a frame takes while a person scrolls, in milliseconds; the middle of some tries. */
  const frames = () =>
    page.evaluate(async () => {
      const longest = [];
      for (let turn = 0; turn < 5; turn += 1) {
        let [most, last] = [0, performance.now()];
        for (let step = 0; step < 20; step += 1) {
          scrollBy(0, step % 2 ? -300 : 310);
          const now = await new Promise(requestAnimationFrame);
          [most, last] = [Math.max(most, now - last), now];
        }
        longest.push(most);
      }
      return longest.sort((a, b) => a - b)[2];
    });
  const posts = page.locator(".post");
  const [few, before] = [await frames(), await memory()];
  const began = Date.now();
  while ((await page.locator(".end").count()) === 0) {
    assert.ok(Date.now() - began < 120_000, `${await posts.count()} posts after two minutes`);
    await page.evaluate(() => scrollTo(0, document.body.scrollHeight));
    await page.waitForTimeout(20);
  }
  const [many, after] = [await frames(), await memory()];
  // What is far away is let go, and is there again when one goes back.
  assert.ok((await posts.count()) < 200, `${await posts.count()} posts at once`);
  const seen = await page.evaluate(async () => {
    const found = new Set();
    for (let at = document.body.scrollHeight; at > -700; at -= 700) {
      scrollTo(0, at);
      await new Promise(requestAnimationFrame);
      await new Promise(requestAnimationFrame);
      for (const post of document.querySelectorAll(".post")) {
        const { top, bottom } = post.getBoundingClientRect();
        if (bottom > 0 && top < innerHeight) found.add(post.querySelector(".post-text").textContent);
      }
    }
    return [...found];
  });
  const numbers = new Set(seen.map((text) => Number(/\d+/.exec(text)?.[0])));
  assert.deepEqual(Array.from({ length: 2000 }, (_, at) => at).filter((at) => !numbers.has(at)), []);
  t.diagnostic(
    `of 20 and of 2000 posts: longest frame ${few.toFixed(0)} and ${many.toFixed(0)} ms, ` +
      `memory ${before.all.toFixed(0)} and ${after.all.toFixed(0)} MB, of it scripts' ${before.scripts.toFixed(1)} and ${after.scripts.toFixed(1)} MB`,
  );
  assert.ok(many < few * 3 + 50, `${few} ms, then ${many} ms`);
  assert.ok(after.all < before.all + 60, `${before.all} MB, then ${after.all} MB`);
  assert.deepEqual(page.complaints, []);
});
