// @ts-check
// Fills the page's <template>s. The rules are those of src/web/template.rs, where a table says them.

import { ago, initial, pieces } from "./format.js";
import { viewer } from "./viewer.js";

/** @typedef {{ [name: string]: any }} Values */
/** @typedef {Values[]} Scope the innermost first */

const DEPTH = 12;

/**
 * A part, filled.
 * @param {string} name
 * @param {Values} values
 * @param {number} [now]
 * @returns {HTMLElement}
 */
export function part(name, values, now = Date.now()) {
  const filled = fill(name, [values, { viewer }], DEPTH, now);
  if (!filled) throw new Error(`there is no part ${name}, or nothing to show of it`);
  return filled;
}

/**
 * @param {string} name
 * @param {Scope} scope
 * @param {number} depth
 * @param {number} now
 */
function fill(name, scope, depth, now) {
  const template = document.getElementById(`part-${name}`);
  if (!(template instanceof HTMLTemplateElement) || depth === 0) return null;
  const element = template.content.firstElementChild?.cloneNode(true);
  return element instanceof HTMLElement && apply(element, scope, depth - 1, now) ? element : null;
}

/**
 * Applies the directives of an element; says whether it stays.
 * @param {Element} element
 * @param {Scope} scope
 * @param {number} depth
 * @param {number} now
 * @returns {boolean}
 */
function apply(element, scope, depth, now) {
  /** @param {string} name */
  const take = (name) => {
    const value = element.getAttribute(`data-${name}`);
    if (value !== null) element.removeAttribute(`data-${name}`);
    return value;
  };
  const [only, unless] = [take("if"), take("unless")];
  if ((only !== null && !holds(only, scope)) || (unless !== null && holds(unless, scope))) return false;
  const [sets, classes] = [take("set"), take("class")];
  for (const [name, template] of pairs(sets)) {
    const value = filled(template, scope);
    if (value !== null) element.setAttribute(name, value);
  }
  for (const [name, condition] of pairs(classes)) {
    if (holds(condition, scope)) element.classList.add(name);
  }
  const [path, links, first, time] = [take("text"), take("links"), take("initial"), take("time")];
  const [each, inner] = [take("each"), take("part")];
  const moment = time === null ? null : text(time, scope);
  if (moment !== null) element.setAttribute("datetime", moment);
  if (path !== null) {
    const value = text(path, scope) ?? "";
    element.replaceChildren(...(links === null ? [value] : linked(value)));
  } else if (first !== null) {
    element.replaceChildren(initial(text(first, scope) ?? ""));
  } else if (moment !== null) {
    element.replaceChildren(ago(moment, now));
  } else if (each !== null) {
    const [list = "", ...words] = each.split(" ");
    const name = words.pop() ?? "";
    const items = words[0] === undefined ? get(list, scope) : get(list, scope)?.map((/** @type {Values} */ it) => it[words[0] ?? ""]);
    element.replaceChildren(...(items ?? []).flatMap((/** @type {Values} */ item) => fill(name, [item, ...scope], depth, now) ?? []));
  } else if (inner !== null) {
    element.replaceChildren(...[fill(filled(inner, scope) ?? "", scope, depth, now) ?? []].flat());
  } else {
    // Not by `children`, which the browser would keep for each element.
    for (let child = element.firstElementChild, next; child; child = next) {
      next = child.nextElementSibling;
      if (!apply(child, scope, depth, now)) child.remove();
    }
  }
  return true;
}

/**
 * @param {string} path
 * @param {Scope} scope
 * @returns {any}
 */
function get(path, scope) {
  if (path === ".") return scope[0];
  const [first = "", ...rest] = path.split(".");
  const holder = scope.find((values) => values !== null && typeof values === "object" && values[first] !== undefined);
  return rest.reduce((value, name) => value?.[name], holder?.[first]) ?? null;
}

/** @param {string} path @param {Scope} scope */
function text(path, scope) {
  const value = get(path, scope);
  return value === null || typeof value === "object" ? null : String(value);
}

/** @param {string} condition @param {Scope} scope */
function holds(condition, scope) {
  const [left = "", right] = condition.split(" = ");
  if (right !== undefined) return text(left, scope) !== null && text(left, scope) === text(right, scope);
  const value = get(left, scope);
  return Array.isArray(value) ? value.length > 0 : value !== null && value !== false && value !== "" && value !== 0;
}

/** @param {string | null} list @returns {[string, string][]} */
function pairs(list) {
  return (list ?? "").split("; ").flatMap((pair) => {
    const at = pair.indexOf(": ");
    return at < 0 ? [] : [/** @type {[string, string]} */ ([pair.slice(0, at), pair.slice(at + 2)])];
  });
}

/** @param {string} template @param {Scope} scope */
function filled(template, scope) {
  const whole = /^\{([^{}]*)\}$/.exec(template);
  if (whole) return text(whole[1] ?? "", scope);
  let missing = false;
  const out = template.replace(/\{([^{}]*)\}/g, (_, path) => {
    const value = text(path, scope);
    missing ||= value === null;
    return template.startsWith("/") ? encodeURIComponent(value ?? "") : (value ?? "");
  });
  return missing ? null : out;
}

/** @param {string} value @returns {(string | HTMLAnchorElement)[]} */
function linked(value) {
  return pieces(value).map((piece) => {
    if ("text" in piece) return piece.text;
    const link = document.createElement("a");
    link.setAttribute("href", piece.link);
    link.setAttribute("rel", "noopener noreferrer nofollow");
    link.setAttribute("target", "_blank");
    link.textContent = piece.link;
    return link;
  });
}
