// The client's pure modules, without a browser.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { ago, initial, pieces } from "../../web/js/format.js";

const cases = JSON.parse(readFileSync(new URL("../../web/cases.json", import.meta.url), "utf8"));

test("times are told as the server tells them", () => {
  const now = Date.parse(cases.now);
  const times = cases.parts.filter(({ part }) => part.startsWith("<time"));
  assert.ok(times.length >= 5);
  for (const { data, html } of times) assert.ok(html.endsWith(`>${ago(data.at, now)}</time>`), html);
  assert.equal(ago("nonsense"), "");
  assert.equal(ago("2026-09-05T00:00:00Z", now), "5 Sep 2026");
});

test("only addresses of pages are links", () => {
  const links = (text) => pieces(text).flatMap((piece) => ("link" in piece ? [piece.link] : []));
  assert.deepEqual(links("see https://a.example/x?a=1&b=2, (http://b.example)!"), ["https://a.example/x?a=1&b=2", "http://b.example"]);
  assert.deepEqual(links("javascript:alert(1) data:text/html,x xhttps://a https:// //c.example"), []);
  assert.deepEqual(links("https://ü.example/ß und http://日本.example"), ["https://ü.example/ß", "http://日本.example"]);
  for (const text of ["", "a", "https://a", "x https://a.example. y"]) {
    assert.equal(pieces(text).map((piece) => ("link" in piece ? piece.link : piece.text)).join(""), text, "nothing is lost");
  }
});

test("who has no picture has a letter", () => {
  assert.equal(initial("ömer"), "Ö");
  assert.equal(initial("𝒶b"), "𝒶");
  assert.equal(initial(""), "");
});
