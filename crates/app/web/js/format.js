// @ts-check
// How texts and times are shown. The server keeps the same rules (src/web/text.rs); both are held
// against cases.json.

/** @typedef {{ text: string } | { link: string }} Piece */

const ADDRESS = /(?<![\p{L}\p{N}])https?:\/\/(?=[\p{L}\p{N}])[^\s<]*/gu;
const BEHIND = ".,;:!?)]}'\">";

/**
 * A text's addresses and what stands between them. Only http and https are addresses.
 * @param {string} text
 * @returns {Piece[]}
 */
export function pieces(text) {
  /** @type {Piece[]} */
  const found = [];
  let end = 0;
  for (const match of text.matchAll(ADDRESS)) {
    let length = match[0].length;
    while (length > 0 && BEHIND.includes(match[0].charAt(length - 1))) length -= 1;
    const link = match[0].slice(0, length);
    if (match.index > end) found.push({ text: text.slice(end, match.index) });
    found.push({ link });
    end = match.index + link.length;
  }
  if (end < text.length) found.push({ text: text.slice(end) });
  return found;
}

const DATE = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", year: "numeric", timeZone: "UTC" });

/**
 * How long ago a moment is.
 * @param {string} time as RFC 3339 writes it
 * @param {number} now in milliseconds since 1970
 */
export function ago(time, now = Date.now()) {
  const then = Date.parse(time);
  if (Number.isNaN(then)) return "";
  const seconds = Math.floor((now - then) / 1000);
  if (seconds < 60) return "now";
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min`;
  if (seconds < 86_400) return `${Math.floor(seconds / 3600)} h`;
  if (seconds < 604_800) return `${Math.floor(seconds / 86_400)} d`;
  // Some browsers write "Sept".
  return DATE.format(then).replace("Sept", "Sep");
}

/**
 * The first letter of a name, for who has no picture.
 * @param {string} name
 */
export function initial(name) {
  return ([...name][0] ?? "").toUpperCase();
}
