// The client's modules that need no page, without a browser.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { mock, test } from "node:test";
import { WHOLE, moved, square, within } from "../../web/js/crop.js";
import { ago, initial, pieces } from "../../web/js/format.js";
import { Socket } from "../../web/js/socket.js";

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

test("a picture is cut to a square that is all picture", () => {
  const wide = { width: 800, height: 400 };
  assert.deepEqual(square(wide, WHOLE), { left: 200, top: 0, side: 400 });
  assert.deepEqual(square(wide, { ...WHOLE, zoom: 2 }), { left: 300, top: 100, side: 200 });
  // A quarter of the square's side to the right, and no further than there is something.
  assert.deepEqual(square(wide, moved(wide, WHOLE, 0.25, 0.25)), { left: 300, top: 0, side: 400 });
  assert.deepEqual(square(wide, moved(wide, WHOLE, 9, -9)), { left: 400, top: 0, side: 400 });
  // Who goes back from what is close sees no edge.
  const corner = moved(wide, { ...WHOLE, zoom: 4 }, 9, 9);
  assert.deepEqual(square(wide, corner), { left: 700, top: 300, side: 100 });
  assert.deepEqual(square(wide, within(wide, { ...corner, zoom: 1 })), { left: 400, top: 0, side: 400 });
});

/** The sockets that were opened, and what the page hears; the clock goes as told. */
function sockets(t) {
  /** @type {FakeSocket[]} */
  const opened = [];
  class FakeSocket extends EventTarget {
    /** @type {any[]} */
    sent = [];
    constructor(address, protocol) {
      super();
      assert.deepEqual([address, protocol], ["ws://here/graphql", "graphql-transport-ws"]);
      opened.push(this);
    }
    send(text) {
      this.sent.push(JSON.parse(text));
    }
    /** Of a connection that is gone, nothing is heard for long. */
    close() {}
    ends(code = 1006) {
      this.dispatchEvent(Object.assign(new Event("close"), { code }));
    }
    says(message) {
      this.dispatchEvent(Object.assign(new Event("message"), { data: JSON.stringify(message) }));
    }
    acknowledges() {
      this.dispatchEvent(new Event("open"));
      this.says({ type: "connection_ack" });
    }
  }
  const page = new EventTarget();
  const before = Object.getOwnPropertyDescriptors(globalThis);
  const globals = { WebSocket: FakeSocket, document: Object.assign(new EventTarget(), { hidden: false }), addEventListener: page.addEventListener.bind(page) };
  for (const [name, value] of Object.entries(globals)) Object.defineProperty(globalThis, name, { value, configurable: true, writable: true });
  mock.timers.enable({ apis: ["setTimeout"] });
  mock.method(Math, "random", () => 0.5);
  t.after(() => {
    mock.timers.reset();
    mock.restoreAll();
    for (const name of Object.keys(globals)) {
      if (before[name]) Object.defineProperty(globalThis, name, before[name]);
      else delete globalThis[name];
    }
  });
  const socket = new Socket("ws://here/graphql");
  const heard = [];
  for (const name of ["open", "lost", "denied"]) socket.addEventListener(name, (event) => heard.push(event.detail?.again ? `${name} again` : name));
  return { socket, opened, heard, page, tick: (ms) => mock.timers.tick(ms), last: () => opened.at(-1) };
}

test("a lost socket is opened again after growing pauses, and asks for the same", (t) => {
  const { socket, opened, heard, tick, last } = sockets(t);
  const got = [];
  socket.subscribe("subscription One", (data) => got.push(data));
  socket.subscribe("subscription Two", (data) => got.push(data));
  socket.askFirst("query First", (data) => got.push(data));
  socket.open();
  last().acknowledges();
  assert.deepEqual(last().sent.map(({ type, id }) => [type, id]), [["connection_init", undefined], ["subscribe", "0"], ["subscribe", "1"], ["subscribe", "first"]]);
  last().says({ type: "next", id: "1", payload: { data: { two: 2 } } });
  last().says({ type: "next", id: "first", payload: { data: { first: 1 } } });
  last().says({ type: "ping" });
  assert.deepEqual(got, [{ two: 2 }, { first: 1 }]);
  assert.equal(last().sent.at(-1).type, "pong");
  for (const pause of [500, 1000, 2000, 4000, 8000, 15_000, 15_000]) {
    const before = opened.length;
    last().ends();
    tick(pause - 1);
    assert.equal(opened.length, before, `before ${pause} ms`);
    tick(1);
    assert.equal(opened.length, before + 1, `after ${pause} ms`);
  }
  last().acknowledges();
  assert.deepEqual(last().sent.filter(({ type }) => type === "subscribe").map(({ id }) => id), ["0", "1"]);
  assert.deepEqual(heard, ["open", ...Array(7).fill("lost"), "open again"]);
  // It was there: the next pause is short again.
  last().ends();
  tick(500);
  assert.equal(opened.length, 9);
});

test("a socket that says nothing is as good as lost, and one that is refused stays closed", (t) => {
  const { socket, opened, heard, page, tick, last } = sockets(t);
  socket.open();
  last().acknowledges();
  tick(44_000);
  last().says({ type: "pong" });
  tick(44_000);
  assert.deepEqual(heard, ["open"]);
  tick(1000);
  assert.deepEqual(heard, ["open", "lost"]);
  // Who is there again need not wait.
  page.dispatchEvent(new Event("online"));
  tick(0);
  assert.equal(opened.length, 2);
  last().ends(4403);
  tick(600_000);
  assert.deepEqual([opened.length, heard.at(-1)], [2, "denied"]);
});
