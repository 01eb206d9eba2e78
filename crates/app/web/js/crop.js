// @ts-check
// The square of a picture that is kept: how large it is, and where it may be.

/** Of a picture, in its own pixels. @typedef {{ width: number, height: number }} Size */
/** The square's middle, in parts of the picture, and how much closer than the largest one it is. @typedef {{ x: number, y: number, zoom: number }} Cut */

/** The largest square, in the middle. */
export const WHOLE = Object.freeze({ x: 0.5, y: 0.5, zoom: 1 });

/** Where a cut begins, and its side, in the picture's pixels. @param {Size} size @param {Cut} cut */
export function square(size, { x, y, zoom }) {
  const side = Math.min(size.width, size.height) / zoom;
  return { left: x * size.width - side / 2, top: y * size.height - side / 2, side };
}

/**
 * The nearest cut that is all picture.
 * @param {Size} size
 * @param {Cut} cut
 * @returns {Cut}
 */
export function within(size, cut) {
  const { side } = square(size, cut);
  /** @param {number} at @param {number} length */
  const nearest = (at, length) => Math.max(side / 2 / length, Math.min(1 - side / 2 / length, at));
  return { ...cut, x: nearest(cut.x, size.width), y: nearest(cut.y, size.height) };
}

/**
 * A cut, moved by parts of its side.
 * @param {Size} size
 * @param {Cut} cut
 * @param {number} right
 * @param {number} down
 */
export function moved(size, cut, right, down) {
  const { side } = square(size, cut);
  return within(size, { ...cut, x: cut.x + (right * side) / size.width, y: cut.y + (down * side) / size.height });
}
