/** Where a box that floats beside a point hides least. */

export interface Box {
  left: number;
  top: number;
  right: number;
  bottom: number;
}

/** Pixels between the box and its point. */
const OFF_X = 16;
const OFF_Y = 12;
const EDGE_PX = 6;

/**
 * Upper left corner of a box of that size beside (x, y), inside `width` × `height`: of the places at either side, above,
 * beside and below, the first of those that cover least. `cost` says what a place covers, 0 for nothing.
 */
export function placeBeside(
  point: { x: number; y: number }, size: { width: number; height: number }, room: { width: number; height: number },
  above: boolean, cost: (box: Box) => number,
): { left: number; top: number } {
  const inside = (value: number, most: number): number => Math.max(EDGE_PX, Math.min(most - EDGE_PX, value));
  const right = point.x + OFF_X;
  const left = point.x - OFF_X - size.width;
  const sides = right + size.width > room.width ? [left, right] : [right, left];
  const over = point.y - size.height - OFF_Y;
  const under = point.y + OFF_Y;
  const heights = [...(above ? [over, under] : [under, over]), EDGE_PX, room.height - size.height - EDGE_PX];
  let best = { left: sides[0], top: inside(heights[0], room.height - size.height), cost: Number.POSITIVE_INFINITY };
  for (const wantedTop of heights) {
    for (const wantedLeft of sides) {
      if (wantedLeft < EDGE_PX || wantedLeft + size.width > room.width) continue;
      const top = inside(wantedTop, room.height - size.height);
      const spent = cost({ left: wantedLeft, top, right: wantedLeft + size.width, bottom: top + size.height });
      if (spent < best.cost) best = { left: wantedLeft, top, cost: spent };
    }
  }
  return { left: best.left, top: best.top };
}
