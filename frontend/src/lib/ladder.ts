/** Resting depth as a ladder: lots by tick on each side, and what lies between the quote and each tick. */

export interface Ladder {
  /** Tick of row 0. */
  lowest: number;
  bid: Float32Array;
  ask: Float32Array;
  /** Lots between the best quote and the tick, both included; 0 on the other side of the market. */
  bidTotal: Float64Array;
  askTotal: Float64Array;
}

/** From depth columns whose rows run k = -R..+R around `spotTick`. */
export function ladderOf(bid: Float32Array, ask: Float32Array, spotTick: number): Ladder {
  const rows = bid.length;
  const bidTotal = new Float64Array(rows);
  const askTotal = new Float64Array(rows);
  let sum = 0;
  for (let row = 0; row < rows; row += 1) {
    sum += ask[row];
    askTotal[row] = sum;
  }
  sum = 0;
  for (let row = rows - 1; row >= 0; row -= 1) {
    sum += bid[row];
    bidTotal[row] = sum;
  }
  return { lowest: spotTick - (rows - 1) / 2, bid, ask, bidTotal, askTotal };
}

/** Largest level and largest totals among ticks [low, high]. */
export function ladderReach(ladder: Ladder, low: number, high: number): { level: number; total: number } {
  let level = 0;
  let total = 0;
  const to = Math.min(ladder.bid.length - 1, high - ladder.lowest);
  for (let row = Math.max(0, low - ladder.lowest); row <= to; row += 1) {
    level = Math.max(level, ladder.bid[row], ladder.ask[row]);
    total = Math.max(total, ladder.bidTotal[row], ladder.askTotal[row]);
  }
  return { level, total };
}

/**
 * Rows whose lots are written out: all where rows are tall enough for text, else the largest levels, no two nearer
 * than `minPx`.
 */
export function writtenRows(ladder: Ladder, low: number, high: number, pxPerTick: number, minPx: number): number[] {
  const rows: number[] = [];
  const to = Math.min(ladder.bid.length - 1, high - ladder.lowest);
  for (let row = Math.max(0, low - ladder.lowest); row <= to; row += 1) if (ladder.bid[row] + ladder.ask[row] > 0) rows.push(row);
  if (pxPerTick >= minPx) return rows;
  const apart = Math.ceil(minPx / pxPerTick);
  const kept: number[] = [];
  rows.sort((a, b) => ladder.bid[b] + ladder.ask[b] - ladder.bid[a] - ladder.ask[a]);
  for (const row of rows) if (kept.every((other) => Math.abs(other - row) >= apart)) kept.push(row);
  return kept;
}
